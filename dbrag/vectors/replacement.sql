-- name: building_generation
-- The one that is being built beside the serving one, and its job.
SELECT g.id, g.collection_id, g.model, g.dimensions, g.storage, g.m, g.ef_construction, g.status, j.id AS job_id
FROM generations g JOIN jobs j ON j.generation_id = g.id AND j.kind = 'rebuild_index' AND j.finished_at IS NULL
  AND j.params @> '{"fill": true}'
WHERE g.collection_id = %(collection_id)s AND g.status IN ('building', 'catching_up')

-- name: kept_generations
-- Those that have served and can serve again, the last one first.
SELECT id, collection_id, model, dimensions, storage, m, ef_construction, status FROM generations
WHERE collection_id = %(collection_id)s AND status = 'kept' ORDER BY served_at DESC

-- name: reopen
-- A generation that was kept is brought up to date, to serve again.
UPDATE generations SET status = 'building', since = pg_current_xact_id(), kept_until = NULL, refusal = NULL
WHERE id = %(id)s AND status = 'kept'

-- name: notice
-- The first transaction that surely knows a generation's status: the next one to come, as this statement's snapshot has
-- it, and not the one after `since`, which may have looked before that was committed. Once a change.
WITH seen AS MATERIALIZED (
    SELECT id, since, pg_snapshot_xmax(pg_current_snapshot()) AS next FROM generations
    WHERE (id = %(id)s OR %(id)s::bigint IS NULL AND status = 'abandoned') AND noticed_since IS DISTINCT FROM since
)
UPDATE generations g SET noticed = seen.next, noticed_since = seen.since FROM seen
WHERE g.id = seen.id AND g.since = seen.since

-- name: since
-- Why it cannot be completed, if so; and whether every transaction has ended that may not know its status.
SELECT refusal, noticed_since IS NOT DISTINCT FROM since AND noticed <= pg_snapshot_xmin(pg_current_snapshot())
FROM generations WHERE id = %(id)s

-- name: count_chunks_of_collection
-- What a new generation is to hold.
SELECT count(*) FROM chunks WHERE collection_id = %(collection_id)s AND kept_chunk_id IS NULL

-- name: count_waiting
-- Texts that wait for their vector in this generation, counted up to a limit.
SELECT count(*) FROM (SELECT FROM pending WHERE generation_id = %(generation_id)s LIMIT %(limit)s) p

-- name: slice
-- The next chunks in the order of their hashes.
SELECT hash, id FROM chunks
WHERE collection_id = %(collection_id)s AND (hash, id) > (%(after_hash)s, %(after_id)s) AND kept_chunk_id IS NULL
ORDER BY hash, id LIMIT %(limit)s

-- name: fill
-- Puts those of these chunks on the pending table that have no vector in this generation. Read under the documents'
-- locks: whoever writes such a vector, or moves such a chunk, has ended or not begun. A version that is still to be
-- split, in a retry, is left to that.
INSERT INTO pending (chunk_id, tenant_id, version_id, job_id, generation_id, model, dimensions, queue_rank, tokens, hash)
SELECT c.id, c.tenant_id, c.version_id, %(job_id)s, %(generation_id)s, %(model)s, %(dimensions)s, %(rank)s, c.tokens,
       c.hash
FROM chunks c JOIN document_versions v ON v.id = c.version_id
JOIN job_items i ON i.job_id = v.job_id AND i.index = v.item_index
WHERE c.id = ANY(%(chunk_ids)s) AND (v.status = 'live' OR v.status = 'waiting' AND i.status = 'embedding')
  AND NOT EXISTS (SELECT FROM {table} e WHERE e.chunk_id = c.id)
ON CONFLICT DO NOTHING

-- name: catch_up
-- From here on documents go live with their vectors in both generations.
UPDATE generations SET status = 'catching_up', since = pg_current_xact_id() WHERE id = %(id)s AND status = 'building'

-- name: is_complete
-- No chunk that searches see waits for its vector.
SELECT NOT EXISTS (
    SELECT FROM pending p LEFT JOIN document_versions v ON v.id = p.version_id
    WHERE p.generation_id = %(generation_id)s AND (v.id IS NULL OR v.status = 'live'))

-- name: live_rows
-- Vectors of chunks that searches see, in both generations at the same moment.
WITH searched AS (SELECT id FROM segments WHERE status IN ('fresh', 'sealed', 'indexed'))
SELECT (SELECT count(*) FROM {serving} e JOIN chunks c ON c.id = e.chunk_id
        JOIN document_versions v ON v.id = c.version_id AND v.status = 'live'
        WHERE e.segment_id IN (SELECT id FROM searched)),
       (SELECT count(*) FROM {table} e JOIN chunks c ON c.id = e.chunk_id
        JOIN document_versions v ON v.id = c.version_id AND v.status = 'live'
        WHERE e.segment_id IN (SELECT id FROM searched))

-- name: keep_serving
-- The generation that has served until now, and can be rolled back to.
UPDATE generations SET status = 'kept', since = pg_current_xact_id(),
       kept_until = now() + make_interval(secs => %(keep_s)s)
WHERE collection_id = %(collection_id)s AND status = 'serving'

-- name: serve
-- From the commit on, searches see this generation.
UPDATE generations SET status = 'serving', since = pg_current_xact_id(), served_at = now()
WHERE id = %(id)s AND status = 'catching_up' AND refusal IS NULL

-- name: abandon_orphans
-- Generations whose job has ended without completing them: what has served before is kept, the others are dropped.
UPDATE generations g
SET status = CASE WHEN served_at IS NULL THEN 'abandoned' ELSE 'kept' END, since = pg_current_xact_id(),
    kept_until = CASE WHEN served_at IS NULL THEN NULL ELSE now() + make_interval(secs => %(keep_s)s) END
WHERE g.status IN ('building', 'catching_up') AND NOT EXISTS (
    SELECT FROM jobs j WHERE j.generation_id = g.id AND j.kind = 'rebuild_index' AND j.finished_at IS NULL
    AND j.params @> '{"fill": true}')
  AND (%(collection_id)s::bigint IS NULL OR g.collection_id = %(collection_id)s)

-- name: abandon_expired
-- Nobody can roll back to these any more.
UPDATE generations SET status = 'abandoned', since = pg_current_xact_id(), kept_until = NULL
WHERE status = 'kept' AND kept_until < now()

-- name: unwanted_texts
-- Documents' versions that wait for texts of generations that are not being built any more.
SELECT DISTINCT version_id FROM (
    SELECT p.version_id FROM generations g JOIN pending p ON p.generation_id = g.id
    WHERE g.status IN ('kept', 'abandoned') LIMIT %(limit)s) p

-- name: drop_texts
-- They need them no more.
DELETE FROM pending p USING generations g
WHERE p.version_id = ANY(%(version_ids)s) AND g.id = p.generation_id AND g.status IN ('kept', 'abandoned')

-- name: forgotten_versions
-- Versions with nothing left to wait for, whose last text was dropped with its generation: nobody else completes them.
SELECT v.id FROM jobs j JOIN document_versions v ON v.job_id = j.id AND v.status = 'waiting'
JOIN job_items i ON i.job_id = j.id AND i.index = v.item_index AND i.status = 'embedding'
WHERE j.status IN ('running', 'held') AND j.claim_id IS NULL AND NOT EXISTS (
    SELECT FROM pending p JOIN generations g ON g.id = p.generation_id
    WHERE p.version_id = v.id AND g.status IN ('serving', 'catching_up'))
LIMIT %(limit)s

-- name: collections_of_versions
SELECT DISTINCT d.collection_id FROM document_versions v JOIN documents d ON d.id = v.document_id
WHERE v.id = ANY(%(version_ids)s)

-- name: next_to_drop
-- An abandoned generation that no transaction can still be using; locked against a second purge.
SELECT id FROM generations WHERE status = 'abandoned' AND noticed_since = since
  AND noticed <= pg_snapshot_xmin(pg_current_snapshot())
  AND NOT EXISTS (SELECT FROM pending p WHERE p.generation_id = generations.id)
  AND NOT EXISTS (SELECT FROM jobs j WHERE j.generation_id = generations.id AND j.finished_at IS NULL)
ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: drop_table
DROP TABLE IF EXISTS {table}

-- name: delete_generation
-- Its segments and probes go with it.
DELETE FROM generations WHERE id = %(id)s

-- name: sample_chunks
-- Chunks in the order of their hashes, which is as good as random: their number, how many different texts they are and
-- what these weigh.
SELECT count(*), count(DISTINCT hash), coalesce(sum(tokens) FILTER (WHERE first), 0)::bigint FROM (
    SELECT hash, tokens, row_number() OVER (PARTITION BY hash ORDER BY id) = 1 AS first FROM (
        SELECT hash, id, tokens FROM chunks WHERE collection_id = %(collection_id)s AND kept_chunk_id IS NULL
        ORDER BY hash, id LIMIT %(limit)s) c) d
