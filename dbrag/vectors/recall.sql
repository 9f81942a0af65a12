-- name: size
-- Rows (an estimate) and pages of the segments that searches see.
SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint AS rows,
       coalesce(sum(pg_relation_size(c.oid)), 0)::bigint / 8192 AS pages
FROM segments s JOIN pg_class c ON c.oid = to_regclass(format('generation_%%s_segment_%%s', s.generation_id, s.id))
WHERE s.id = ANY (%(segment_ids)s)

-- name: sample
-- Some stored vectors, from pages anywhere: cheap however many rows there are.
SELECT chunk_id, {send}(embedding) FROM {table} AS e TABLESAMPLE SYSTEM (%(percent)s)
WHERE segment_id = ANY (%(segment_ids)s)
ORDER BY random() LIMIT %(samples)s

-- name: neighbours
-- As searches find them, but for filters and for what is not live.
SELECT chunk_id, embedding <=> %(vector)s::{type} FROM {table}
WHERE segment_id = ANY (%(segment_ids)s)
ORDER BY embedding <=> %(vector)s::{type} LIMIT %(limit)s

-- name: exact_neighbours
-- The same from all rows.
SELECT chunk_id, embedding <=> %(vector)s::{type} FROM {table}
WHERE segment_id = ANY (%(segment_ids)s)
ORDER BY (embedding <=> %(vector)s::{type}) + 0 LIMIT %(limit)s

-- name: insert_probe
INSERT INTO recall_probes (tenant_id, generation_id, samples, ef_search, recall_at_10, floor, ef_search_needed, p50_ms,
                           p95_ms, exact_p50_ms)
SELECT tenant_id, id, %(samples)s, %(ef_search)s, %(recall_at_10)s, %(floor)s, %(ef_search_needed)s, %(p50_ms)s,
       %(p95_ms)s, %(exact_p50_ms)s
FROM generations WHERE id = %(generation_id)s

-- name: last_probe
SELECT at, samples, ef_search, recall_at_10, floor, ef_search_needed, p50_ms, p95_ms, exact_p50_ms FROM recall_probes
WHERE generation_id = %(generation_id)s ORDER BY id DESC LIMIT 1

-- name: next_to_probe
-- The serving generation with a graph whose last probe is the oldest, if that is old enough.
SELECT g.id, g.collection_id, g.model, g.dimensions, g.storage, g.m, g.ef_construction, g.status
FROM generations g JOIN collections c ON c.id = g.collection_id
LEFT JOIN LATERAL (SELECT at FROM recall_probes WHERE generation_id = g.id ORDER BY id DESC LIMIT 1) p ON true
WHERE g.status = 'serving' AND c.deleted_at IS NULL
  AND EXISTS (SELECT FROM segments WHERE generation_id = g.id AND status = 'indexed')
  AND (p.at IS NULL OR p.at < now() - make_interval(secs => %(age_s)s))
ORDER BY p.at NULLS FIRST LIMIT 1

-- name: lock_probing
-- One process probes at a time; the lock is the session's and goes with it.
SELECT pg_try_advisory_lock(%(key)s)

-- name: summary
-- The last probes of all serving generations together.
SELECT count(*) AS probed, count(*) FILTER (WHERE p.recall_at_10 < p.floor) AS below, min(p.recall_at_10) AS lowest
FROM generations g JOIN collections c ON c.id = g.collection_id
CROSS JOIN LATERAL (SELECT recall_at_10, floor FROM recall_probes WHERE generation_id = g.id
                    ORDER BY id DESC LIMIT 1) p
WHERE g.status = 'serving' AND c.deleted_at IS NULL
