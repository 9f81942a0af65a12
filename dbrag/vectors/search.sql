-- name: set_search
-- For this transaction: a plan made for the filter and limit at hand, and no giving up before `limit` rows are found.
-- Last, whether the generation serves, and the segments that its searches see.
SELECT set_config('hnsw.ef_search', %(ef_search)s, true), set_config('hnsw.iterative_scan', 'strict_order', true),
       set_config('plan_cache_mode', 'force_custom_plan', true),
       EXISTS (SELECT FROM generations WHERE id = %(generation_id)s AND status = 'serving'),
       ARRAY(SELECT id FROM segments WHERE generation_id = %(generation_id)s
             AND status IN ('fresh', 'sealed', 'indexed') ORDER BY id)

-- name: search
-- Best first: a MergeAppend of the segments' HNSW scans and a top-N of those without one, each row then looked up. In
-- two steps, since what was just written has no statistics: the planner took to starting from the chunks, and read all
-- vectors (90 ms instead of 5 at 10,000 rows). The first step finds some more (`candidates`), as some may be of
-- documents that do not live yet.
-- The segments are given, since only constants prune partitions; no rows where they are not the live ones any more.
SELECT f.external_id, f.chunk_id, f.text, f.start, f."end", 1 - e.distance AS score, f.metadata,
       f.page, f.headings
FROM (
    SELECT chunk_id, embedding <=> %(vector)s::{type} AS distance FROM {table}
    WHERE segment_id = ANY (%(segment_ids)s)
      AND NOT EXISTS (SELECT FROM segments WHERE generation_id = %(generation_id)s
                      AND (status IN ('fresh', 'sealed', 'indexed')) <> (id = ANY (%(segment_ids)s)))
    ORDER BY embedding <=> %(vector)s::{type} LIMIT %(candidates)s
) e, LATERAL (
    SELECT d.external_id, c.id AS chunk_id, c.text, c.start_offset AS start, c.end_offset AS "end", v.metadata,
           c.page, coalesce(c.headings, '{{}}') AS headings
    FROM chunks c
    JOIN document_versions v ON v.id = c.version_id AND v.status = 'live'
    JOIN documents d ON d.id = v.document_id
    WHERE c.id = e.chunk_id OFFSET 0
) f
ORDER BY e.distance LIMIT %(limit)s

-- name: search_filtered
-- The same for documents whose metadata contain an object. Here the planner chooses: for a filter that keeps little it
-- starts from the versions that match, as far as its statistics tell.
SELECT d.external_id, c.id AS chunk_id, c.text, c.start_offset AS start, c.end_offset AS "end",
       1 - (e.embedding <=> %(vector)s::{type}) AS score, v.metadata, c.page, coalesce(c.headings, '{{}}') AS headings
FROM {table} e
JOIN chunks c ON c.id = e.chunk_id
JOIN document_versions v ON v.id = c.version_id AND v.status = 'live'
JOIN documents d ON d.id = v.document_id
WHERE e.segment_id = ANY (%(segment_ids)s) AND v.metadata @> %(filter)s::jsonb
  AND NOT EXISTS (SELECT FROM segments WHERE generation_id = %(generation_id)s
                  AND (status IN ('fresh', 'sealed', 'indexed')) <> (id = ANY (%(segment_ids)s)))
ORDER BY e.embedding <=> %(vector)s::{type} LIMIT %(limit)s

-- name: search_exactly
-- The same without a graph, which may give up before it has found what there is, and of the segments that are live
-- now. No rows where the answer was exact already, or where there are no more rows than the `found` ones.
-- In two steps, so that texts are not sorted along: half as long for filters that keep half.
WITH nearest AS MATERIALIZED (
    SELECT e.chunk_id, e.embedding <=> %(vector)s::{type} AS distance
    FROM {table} e
    JOIN chunks c ON c.id = e.chunk_id
    JOIN document_versions v ON v.id = c.version_id AND v.status = 'live'
    WHERE e.segment_id = ANY (ARRAY(SELECT id FROM segments WHERE generation_id = %(generation_id)s
                                    AND status IN ('fresh', 'sealed', 'indexed')))
      AND (%(filter)s::jsonb IS NULL OR v.metadata @> %(filter)s::jsonb)
      AND (%(filter)s::jsonb IS NULL -- its candidates may all have been of documents that do not live yet
           OR EXISTS (SELECT FROM segments WHERE generation_id = %(generation_id)s AND status <> 'fresh'))
      AND EXISTS (SELECT FROM {table} OFFSET %(found)s)
    ORDER BY (e.embedding <=> %(vector)s::{type}) + 0 LIMIT %(limit)s
)
SELECT d.external_id, c.id AS chunk_id, c.text, c.start_offset AS start, c.end_offset AS "end", 1 - n.distance AS score,
       v.metadata, c.page, coalesce(c.headings, '{{}}') AS headings
FROM nearest n
JOIN chunks c ON c.id = n.chunk_id
JOIN document_versions v ON v.id = c.version_id
JOIN documents d ON d.id = v.document_id
ORDER BY n.distance
