-- name: insert_generation
-- A worker makes its table when the first vector comes.
INSERT INTO generations (tenant_id, collection_id, model, dimensions, storage, m, ef_construction, status, served_at)
VALUES (%(tenant_id)s, %(collection_id)s, %(model)s, %(dimensions)s, %(storage)s, %(m)s, %(ef_construction)s,
        %(status)s::text, CASE WHEN %(status)s::text = 'serving' THEN now() END)
RETURNING id

-- name: generation_of_collection
-- The generation that serves a collection.
SELECT id, collection_id, model, dimensions, storage, m, ef_construction, status FROM generations
WHERE collection_id = %(collection_id)s AND status = 'serving'

-- name: generations_of_collections
-- All of them that may still be used.
SELECT id, collection_id, model, dimensions, storage, m, ef_construction, status FROM generations
WHERE collection_id = ANY(%(collection_ids)s) AND status <> 'abandoned' ORDER BY id

-- name: history
-- For their owner.
SELECT id, status, model, dimensions, storage, m, ef_construction, created_at, served_at, kept_until FROM generations
WHERE collection_id = %(collection_id)s ORDER BY id

-- name: written_generations
-- Those that new chunks need a vector in: the serving one first, then the one that is being built, with its job.
SELECT g.id, g.model, g.dimensions, g.status, j.id AS job_id
FROM generations g LEFT JOIN jobs j ON j.generation_id = g.id AND j.kind = 'rebuild_index' AND j.finished_at IS NULL
  AND g.status <> 'serving' AND j.params @> '{"fill": true}'
WHERE g.collection_id = %(collection_id)s
  AND (g.status = 'serving' OR g.status IN ('building', 'catching_up') AND j.id IS NOT NULL)
ORDER BY g.status = 'serving' DESC

-- name: refuse_generation
-- The first reason stays. No row where the generation is not being built any more.
UPDATE generations SET refusal = coalesce(refusal, %(reason)s) WHERE id = %(id)s AND status IN ('building', 'catching_up')

-- name: generations_by_id
SELECT id, collection_id, model, dimensions, storage, m, ef_construction, status FROM generations WHERE id = ANY(%(ids)s)

-- name: lock_generation
-- One process at a time makes tables for a generation.
SELECT tenant_id, storage, dimensions FROM generations WHERE id = %(id)s FOR NO KEY UPDATE

-- name: fresh_segment
-- The segment that takes writes. The lock lets it be sealed, which waits for no writer, but not be indexed or merged
-- before this transaction ends (`wait_for_writers`).
SELECT id FROM segments WHERE generation_id = %(generation_id)s AND status = 'fresh' FOR KEY SHARE

-- name: insert_segment
INSERT INTO segments (tenant_id, generation_id) VALUES (%(tenant_id)s, %(generation_id)s) RETURNING id

-- name: has_segments
-- False for a generation whose table has not been made, since nothing was written yet.
SELECT EXISTS (SELECT FROM segments WHERE generation_id = %(generation_id)s)

-- name: create_generation_table
-- The unique index exists from the start: made later on the parent, it would lock everybody out.
CREATE TABLE IF NOT EXISTS {table} (
    segment_id integer NOT NULL, chunk_id bigint NOT NULL, embedding {type} NOT NULL, UNIQUE (chunk_id, segment_id)
) PARTITION BY LIST (segment_id)

-- name: create_segment_table
-- With the CHECK, ATTACH needs no scan, and blocks neither reads nor writes. The table is filled once, then only
-- rows of replaced chunks die in it.
CREATE TABLE {segment} (LIKE {table} INCLUDING ALL, CHECK (segment_id = {id}))

-- name: set_storage
-- In the row: an exact scan of 10,000 takes 8.5 ms instead of 23 ms out of TOAST. The longest vectors that can be
-- indexed, 8,000 bytes of either type, still fit a page.
ALTER TABLE {segment} ALTER COLUMN embedding SET STORAGE PLAIN

-- name: attach_segment
ALTER TABLE {table} ATTACH PARTITION {segment} FOR VALUES IN ({id})

-- name: copy_vectors
-- Straight into the partition; the bytes are made by dbrag/vectors/copy_format.py.
COPY {segment} (segment_id, chunk_id, embedding) FROM STDIN (FORMAT binary)

-- name: delete_vectors
DELETE FROM {table} WHERE chunk_id = ANY(%(chunk_ids)s)

-- name: stored_vectors
-- Vectors that this generation has already for texts with these hashes.
-- One look by index for each hash: joined as a whole, the planner reads all partitions. Chunks that wait themselves,
-- such as those that are asked for here, have none.
SELECT h.hash, f.embedding FROM unnest(%(hashes)s::bytea[]) AS h (hash), LATERAL (
    SELECT {send}(v.embedding) AS embedding FROM chunks c JOIN {table} v ON v.chunk_id = c.id
    WHERE c.collection_id = %(collection_id)s AND c.hash = h.hash AND c.kept_chunk_id IS NULL
      AND NOT EXISTS (SELECT FROM pending p WHERE p.chunk_id = c.id AND p.generation_id = %(generation_id)s)
    LIMIT 1
) f

-- name: missing_vectors
-- Chunks of these versions that have no vector yet, and keep none.
SELECT c.version_id, c.id, c.tokens, c.hash
FROM chunks c LEFT JOIN LATERAL (SELECT true AS stored FROM {table} v WHERE v.chunk_id = c.id LIMIT 1) v ON true
WHERE c.version_id = ANY(%(version_ids)s) AND c.kept_chunk_id IS NULL AND v.stored IS NULL

-- name: count_rows
SELECT count(*) FROM {segment}

-- name: estimated_rows
-- As the planner believes.
SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class c JOIN segments s
    ON c.oid = to_regclass(format('generation_%%s_segment_%%s', s.generation_id, s.id))
WHERE s.generation_id = %(generation_id)s

-- name: segment_to_seal
-- The fresh segment, and as many rows as fit into the bytes that it has, which asks nothing of its table.
SELECT s.id, pg_relation_size(to_regclass(format('generation_%%s_segment_%%s', s.generation_id, s.id)))
             / (g.dimensions * CASE g.storage WHEN 'halfvec' THEN 2 ELSE 4 END) AS rows_at_most
FROM segments s JOIN generations g ON g.id = s.generation_id
WHERE s.generation_id = %(generation_id)s AND s.status = 'fresh'

-- name: seal_segment
-- Takes no more writers, and waits for none: a status is not part of a key. `rows` lacks what they have not committed.
UPDATE segments SET status = 'sealed', sealed_at = now(), rows = %(rows)s WHERE id = %(id)s AND status = 'fresh'

-- name: old_fresh_segments
-- Fresh segments that were not filled in time: (generation id).
SELECT s.generation_id FROM segments s JOIN generations g ON g.id = s.generation_id AND g.status <> 'abandoned'
JOIN collections c ON c.id = g.collection_id AND c.deleted_at IS NULL
WHERE s.status = 'fresh' AND s.created_at < now() - make_interval(secs => %(age_s)s)

-- name: overdue_generations
-- Generations with more rows without an index than that, not counting the fresh segment.
SELECT generation_id FROM segments WHERE status = 'sealed' GROUP BY generation_id HAVING sum(rows) > %(rows)s

-- name: sealed_segments
-- What waits for its index, oldest first.
SELECT id, coalesce(rows, 0) FROM segments WHERE generation_id = %(generation_id)s AND status = 'sealed' ORDER BY id

-- name: wait_for_writers
-- Until those who found these segments fresh have ended; none comes after them.
SELECT id FROM segments WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE

-- name: generations_to_tend
-- Those of these generations that nobody tends: (collection id, tenant id, generation id). One that is being built is
-- tended by the job that fills it.
-- After a failure or a cancel there is a pause, or a full disk would be tried again every minute; and after a merge that
-- could not be completed, unless there are indexes to build.
SELECT c.id, c.tenant_id, g.id FROM generations g JOIN collections c ON c.id = g.collection_id
WHERE g.id = ANY(%(generation_ids)s) AND g.status = 'serving' AND c.deleted_at IS NULL AND NOT EXISTS (
    SELECT FROM jobs j WHERE j.generation_id = g.id AND j.kind = 'rebuild_index'
    AND (j.finished_at IS NULL OR j.finished_at > now() - make_interval(secs => %(pause_s)s) AND (
        j.status IN ('failed', 'cancelled') OR j.result @> '{"waited": true}' AND NOT EXISTS (
            SELECT FROM segments s WHERE s.generation_id = g.id AND s.status = 'sealed'))))

-- name: generations_with_work
-- Generations with a segment that waits for its index, or to be dropped. A merge that is being made waits for nobody:
-- either its job is at work, or it is left over.
SELECT DISTINCT generation_id FROM segments WHERE status IN ('sealed', 'building', 'retired')

-- name: is_busy
-- Whether texts are on their way to this generation.
SELECT EXISTS (SELECT FROM pending WHERE generation_id = %(generation_id)s)

-- name: indexed_segments
-- What merging decides from: (generation id, segment id, rows when it was built, rows that are gone since). The rows
-- that live are counted by PostgreSQL's statistics, without reading a table; where a crash has emptied those, the last
-- ANALYZE or VACUUM counts. %(generation_id)s NULL: of all.
SELECT s.generation_id, s.id, s.rows, greatest(0, s.rows - CASE
    WHEN coalesce(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid),
                  pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid)) IS NOT NULL
    THEN pg_stat_get_live_tuples(c.oid)
    WHEN c.reltuples >= 0 THEN c.reltuples::bigint ELSE s.rows END)::bigint AS dead_rows
FROM segments s JOIN pg_class c ON c.oid = to_regclass(format('generation_%%s_segment_%%s', s.generation_id, s.id))
WHERE s.status = 'indexed' AND s.rows IS NOT NULL
  AND (%(generation_id)s::bigint IS NULL OR s.generation_id = %(generation_id)s)
ORDER BY s.generation_id, s.id

-- name: standing_rebuild
-- The job that builds a generation's index now, or will.
SELECT id FROM jobs WHERE generation_id = %(generation_id)s AND kind = 'rebuild_index' AND finished_at IS NULL

-- name: take_seal
-- Once: what is written after a first attempt has sealed was not meant.
UPDATE jobs SET params = params - 'seal' WHERE id = %(id)s AND claim_id = %(claim_id)s AND params @> '{"seal": true}'

-- name: seal_too
-- A rebuild that was asked for takes what is fresh along, if it has not begun.
UPDATE jobs SET params = params || '{"seal": true}' WHERE id = %(id)s AND status = 'queued'

-- name: describe_segments
-- Sizes in bytes; rows as of the last ANALYZE or VACUUM, or as of sealing.
SELECT s.id, s.status,
       CASE s.status WHEN 'indexed' THEN greatest(c.reltuples, 0)::bigint ELSE coalesce(s.rows, 0) END AS rows,
       coalesce(pg_total_relation_size(c.oid), 0) AS bytes, -- NULL for a table that is being dropped
       s.created_at, s.sealed_at, s.indexed_at
FROM segments s JOIN pg_class c ON c.oid = to_regclass(format('generation_%%s_segment_%%s', s.generation_id, s.id))
WHERE s.generation_id = %(generation_id)s ORDER BY s.id
