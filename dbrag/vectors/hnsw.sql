-- name: index_is_valid
-- No row where there is none, false where a build was interrupted.
SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%(index)s)

-- name: set_up
-- For a session that builds; a graph that does not fit is built some ten times slower.
-- Limits of the role or the database are meant for queries; a build may take hours, and its task has a limit.
SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false),
       set_config('application_name', %(name)s, false), set_config('maintenance_work_mem', %(memory)s, false),
       set_config('max_parallel_maintenance_workers', %(workers)s, false),
       -- a build whose worker died ends before the next one begins, which would wait for it and be waited for
       set_config('client_connection_check_interval', %(check)s, false)

-- name: index_in_place
-- Blocks neither reads nor the deletes that replaced documents cause.
CREATE INDEX CONCURRENTLY {index} ON {segment} USING hnsw (embedding {operators})
WITH (m = {m}, ef_construction = {ef_construction})

-- name: index_apart
-- On a table that nobody uses yet.
CREATE INDEX {index} ON {segment} USING hnsw (embedding {operators})
WITH (m = {m}, ef_construction = {ef_construction})

-- name: drop_index
DROP INDEX CONCURRENTLY IF EXISTS {index}

-- name: analyze_segment
ANALYZE {segment}

-- name: built_share
-- How much of its table the process that builds an index has read.
UPDATE jobs j SET chunks_done = j.chunks_total * least(p.blocks_done, p.blocks_total) / p.blocks_total
FROM pg_stat_progress_create_index p
WHERE j.id = %(id)s AND j.claim_id = %(claim_id)s AND p.pid = %(pid)s AND p.blocks_total > 0

-- name: mark_indexed
UPDATE segments SET status = 'indexed', indexed_at = now(), rows = (SELECT count(*) FROM {segment})
WHERE id = %(id)s AND status = 'sealed'
