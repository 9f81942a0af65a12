-- name: running_transactions
-- Of this database, but for our own, those of autovacuum (which belong to no role), and those of sessions that only
-- build indexes: (process, transaction).
SELECT l.pid, l.virtualxid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'virtualxid' AND l.granted AND l.mode = 'ExclusiveLock' AND a.datname = current_database()
  AND a.usesysid IS NOT NULL AND a.pid <> pg_backend_pid() AND a.application_name <> %(builders)s

-- name: retired_segments
SELECT id FROM segments WHERE generation_id = %(generation_id)s AND status = 'retired' ORDER BY id

-- name: attachment
-- How a segment's table hangs on its generation's: no row where there is no table, NULL where it is not attached, else
-- whether its detaching was interrupted.
SELECT i.inhdetachpending FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.oid = to_regclass(%(segment)s)

-- name: half_detached
-- Partitions whose detaching was interrupted: PostgreSQL detaches no other one before these.
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass(%(table)s) AND i.inhdetachpending

-- name: limit_statements
SELECT set_config('statement_timeout', %(limit)s, false)

-- name: detach
-- Waits for those who use the partitions, and nobody waits for it.
ALTER TABLE {table} DETACH PARTITION {segment} CONCURRENTLY

-- name: finish_detach
ALTER TABLE {table} DETACH PARTITION {segment} FINALIZE

-- name: drop_segment_table
DROP TABLE IF EXISTS {segment}

-- name: delete_segment
DELETE FROM segments WHERE id = %(id)s AND status IN ('building', 'retired')

-- name: lock_at_once
SELECT set_config('lock_timeout', '100ms', true)

-- name: orphans
-- Tables of merges whose collection was deleted meanwhile; a table and its row are made and removed together.
SELECT c.relname FROM pg_class c
WHERE c.relkind = 'r' AND NOT c.relispartition AND c.relnamespace = current_schema()::regnamespace
  AND c.relname ~ '^generation_\d+_segment_\d+$'
  AND NOT EXISTS (SELECT FROM segments s WHERE s.id = split_part(c.relname, '_', 4)::integer)
