-- name: insert_merged
-- The segment that several become; no search sees it.
INSERT INTO segments (tenant_id, generation_id, status, sealed_at, replaces)
SELECT tenant_id, id, 'building', now(), %(replaces)s FROM generations WHERE id = %(generation_id)s RETURNING id

-- name: fill
-- Rows that are deleted meanwhile are removed later, by `remove_gone`.
INSERT INTO {segment} (segment_id, chunk_id, embedding)
SELECT %(id)s, chunk_id, embedding FROM {table} WHERE segment_id = ANY(%(replaces)s)

-- name: count_filled
UPDATE segments SET rows = %(rows)s WHERE id = %(id)s AND status = 'building'

-- name: lock_segments
-- Those that are swapped, in the order of their ids; a row short means that somebody else has swapped them.
SELECT id FROM segments WHERE id = ANY(%(ids)s) AND status IN ('sealed', 'indexed', 'building') ORDER BY id FOR UPDATE

-- name: remove_gone
-- Rows of chunks that were deleted after they were copied and before the segment was attached.
DELETE FROM {segment} e WHERE NOT EXISTS (SELECT FROM chunks c WHERE c.id = e.chunk_id)

-- name: swap
-- In one statement: searches see either all of the old ones or the new one.
UPDATE segments SET status = CASE WHEN id = %(id)s THEN 'indexed' ELSE 'retired' END,
       indexed_at = CASE WHEN id = %(id)s THEN now() ELSE indexed_at END,
       retired_at = CASE WHEN id = %(id)s THEN NULL ELSE now() END,
       rows = CASE WHEN id = %(id)s THEN rows - %(gone)s ELSE rows END
WHERE id = ANY(%(ids)s)

-- name: unfinished
-- Merges that somebody began: (id, what it replaces, whether it can be completed: attached, and what it replaces still
-- serves).
SELECT s.id, s.replaces, coalesce(c.relispartition, false) AND (
    SELECT count(*) FROM segments o WHERE o.id = ANY(s.replaces) AND o.status IN ('sealed', 'indexed')
) = cardinality(s.replaces) AS complete
FROM segments s LEFT JOIN pg_class c ON c.oid = to_regclass(format('generation_%%s_segment_%%s', s.generation_id, s.id))
WHERE s.generation_id = %(generation_id)s AND s.status = 'building' ORDER BY s.id
