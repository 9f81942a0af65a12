-- name: generation_of_collection
-- The generation that serves a collection.
SELECT id, collection_id, model, dimensions, storage, m, ef_construction, status FROM generations
WHERE collection_id = %(collection_id)s AND status = 'serving'

-- name: generations_of_collections
-- All of them, whatever they are for.
SELECT id, collection_id, model, dimensions, storage, m, ef_construction, status FROM generations
WHERE collection_id = ANY(%(collection_ids)s) ORDER BY id

-- name: written_generations
-- Those that new chunks need a vector in: the serving one first, then the one that is being built, with its job.
SELECT g.id, g.model, g.dimensions, g.status, j.id AS job_id
FROM generations g LEFT JOIN jobs j ON j.generation_id = g.id AND j.kind = 'rebuild_index' AND j.finished_at IS NULL
  AND g.status <> 'serving'
WHERE g.collection_id = %(collection_id)s
  AND (g.status = 'serving' OR g.status IN ('building', 'catching_up') AND j.id IS NOT NULL)
ORDER BY g.status = 'serving' DESC

-- name: refuse_generation
-- The first reason stays.
UPDATE generations SET refusal = %(reason)s
WHERE id = %(id)s AND status IN ('building', 'catching_up') AND refusal IS NULL

-- name: generations_by_id
SELECT id, collection_id, model, dimensions, storage, m, ef_construction, status FROM generations WHERE id = ANY(%(ids)s)

-- name: lock_generation
-- One process at a time makes tables for a generation.
SELECT tenant_id, storage, dimensions FROM generations WHERE id = %(id)s FOR NO KEY UPDATE

-- name: fresh_segment
-- The segment that takes writes; it cannot be sealed before the writer's transaction ends.
SELECT id FROM segments WHERE generation_id = %(generation_id)s AND status = 'fresh' FOR SHARE

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

-- name: segment_to_seal
-- The fresh segment, without a lock: whoever shares one with the writers could not seal it any more.
SELECT id FROM segments WHERE generation_id = %(generation_id)s AND status = 'fresh'

-- name: seal_segment
-- Waits for the writers that hold the row, then takes no more of them.
UPDATE segments SET status = 'sealed', sealed_at = now() WHERE id = %(id)s AND status = 'fresh'

-- name: sealed_segments
-- What waits for its index, oldest first.
SELECT id FROM segments WHERE generation_id = %(generation_id)s AND status = 'sealed' ORDER BY id

-- name: mark_indexed
UPDATE segments SET status = 'indexed', indexed_at = now() WHERE id = %(id)s AND status = 'sealed'

-- name: generations_to_index
-- Generations with a sealed segment and no job that builds its index.
SELECT DISTINCT c.id, c.tenant_id, g.id FROM segments s JOIN generations g ON g.id = s.generation_id
JOIN collections c ON c.id = g.collection_id
WHERE s.status = 'sealed' AND g.status <> 'abandoned' AND c.deleted_at IS NULL AND NOT EXISTS (
    SELECT FROM jobs j WHERE j.generation_id = g.id AND j.kind = 'rebuild_index' AND j.finished_at IS NULL)

-- name: standing_rebuild
-- The job that builds a generation's index now, or will.
SELECT id FROM jobs WHERE generation_id = %(generation_id)s AND kind = 'rebuild_index' AND finished_at IS NULL

-- name: seal_too
-- A rebuild that was asked for takes what is fresh along, if it has not begun.
UPDATE jobs SET params = params || '{"seal": true}' WHERE id = %(id)s AND status = 'queued'

-- name: describe_segments
-- Sizes in bytes; rows as of the last ANALYZE or VACUUM.
SELECT s.id, s.status, greatest(c.reltuples, 0)::bigint AS rows, pg_total_relation_size(c.oid) AS bytes, s.created_at,
       s.sealed_at, s.indexed_at
FROM segments s JOIN pg_class c ON c.oid = to_regclass(format('generation_%%s_segment_%%s', s.generation_id, s.id))
WHERE s.generation_id = %(generation_id)s ORDER BY s.id

-- name: index_is_valid
-- No row where there is none, false where a build was interrupted.
SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%(index)s)

-- name: set_build_memory
-- For the session that builds; a graph that does not fit is built some ten times slower.
SELECT set_config('maintenance_work_mem', %(memory)s, false),
       set_config('max_parallel_maintenance_workers', %(workers)s, false),
       set_config('client_connection_check_interval', '10s', false) -- a build whose worker died ends too

-- name: drop_index
DROP INDEX CONCURRENTLY IF EXISTS {index}

-- name: create_index
-- Blocks neither reads nor the deletes that replaced documents cause.
CREATE INDEX CONCURRENTLY {index} ON {segment} USING hnsw (embedding {operators})
WITH (m = {m}, ef_construction = {ef_construction})

-- name: analyze_segment
ANALYZE {segment}
