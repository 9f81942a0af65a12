-- name: insert_job
-- Accepts a job whose steps are found out later; publish_at is the outbox mark.
INSERT INTO jobs (id, tenant_id, kind, queue, collection_id, generation_id, params)
VALUES (%(id)s, %(tenant_id)s, %(kind)s, %(queue)s, %(collection_id)s, %(generation_id)s, %(params)s)

-- name: insert_job_with_items
-- The same with items, of which those that ended at the door are counted at once. One statement, since this is what a
-- request costs.
WITH job AS (
    INSERT INTO jobs (id, tenant_id, kind, queue, collection_id, params, total, failed, skipped, prepared, bytes)
    VALUES (%(id)s, %(tenant_id)s, %(kind)s, %(queue)s, %(collection_id)s, %(params)s, %(total)s, %(failed)s,
            %(skipped)s, %(failed)s::int + %(skipped)s::int, %(bytes)s)
    RETURNING *
), items AS (
    INSERT INTO job_items (job_id, tenant_id, index, external_id, status, error)
    SELECT %(id)s, %(tenant_id)s, item.index, item.external_id, item.status, item.error::jsonb
    FROM unnest(%(indexes)s::int[], %(external_ids)s::text[], %(statuses)s::text[], %(errors)s::text[])
         AS item (index, external_id, status, error)
)
SELECT id, tenant_id, kind, status, queue, collection_id, created_at, started_at, finished_at, attempt, reason_code,
       reason_detail, reason_until, total, completed, failed, skipped, cancelled, cached, prepared, chunks_total,
       chunks_done, result, error
FROM job

-- name: select_jobs
-- Jobs as their owners see them. `worked_s`: how long a job that is not over has been running in all, as its events tell.
-- `publish_again_at`: when a job is published that the broker did not take.
SELECT j.id, j.tenant_id, j.kind, j.status, j.queue, j.collection_id, j.created_at, j.started_at, j.finished_at,
       j.attempt, j.reason_code, j.reason_detail, j.reason_until, j.total, j.completed, j.failed, j.skipped,
       j.cancelled, j.cached, j.prepared, j.chunks_total, j.chunks_done, j.result, j.error,
       CASE WHEN j.publish_count = 0 AND j.publish_at > now() THEN j.publish_at END AS publish_again_at,
       w.worked_s, u.prompt_tokens, u.texts_from_cache, u.cost_usd
FROM jobs j, LATERAL (
    SELECT coalesce(sum(prompt_tokens), 0)::bigint AS prompt_tokens,
           coalesce(sum(texts_from_cache), 0)::bigint AS texts_from_cache,
           coalesce(sum(cost_usd), 0)::float8 AS cost_usd
    FROM usage WHERE job_id = j.id
) u, LATERAL (
    SELECT coalesce(extract(epoch FROM sum(greatest(e.until - e.at, interval '0'))), 0)::float8 AS worked_s FROM (
        SELECT status, reason_code, at, lead(at, 1, statement_timestamp()) OVER (ORDER BY id) AS until FROM job_events
        WHERE job_id = j.id AND j.finished_at IS NULL) e
    WHERE e.status = 'running' OR e.reason_code = 'embedding'
) w
WHERE j.id = ANY(%(ids)s) AND j.tenant_id = ANY(%(tenant_ids)s)

-- name: select_page
-- A page of a tenant's jobs, newest first (ids are UUIDv7), with the same of each.
SELECT j.id, j.tenant_id, j.kind, j.status, j.queue, j.collection_id, j.created_at, j.started_at, j.finished_at,
       j.attempt, j.reason_code, j.reason_detail, j.reason_until, j.total, j.completed, j.failed, j.skipped,
       j.cancelled, j.cached, j.prepared, j.chunks_total, j.chunks_done, j.result, j.error,
       CASE WHEN j.publish_count = 0 AND j.publish_at > now() THEN j.publish_at END AS publish_again_at,
       w.worked_s, u.prompt_tokens, u.texts_from_cache, u.cost_usd
FROM jobs j, LATERAL (
    SELECT coalesce(sum(prompt_tokens), 0)::bigint AS prompt_tokens,
           coalesce(sum(texts_from_cache), 0)::bigint AS texts_from_cache,
           coalesce(sum(cost_usd), 0)::float8 AS cost_usd
    FROM usage WHERE job_id = j.id
) u, LATERAL (
    SELECT coalesce(extract(epoch FROM sum(greatest(e.until - e.at, interval '0'))), 0)::float8 AS worked_s FROM (
        SELECT status, reason_code, at, lead(at, 1, statement_timestamp()) OVER (ORDER BY id) AS until FROM job_events
        WHERE job_id = j.id AND j.finished_at IS NULL) e
    WHERE e.status = 'running' OR e.reason_code = 'embedding'
) w
WHERE j.tenant_id = %(tenant_id)s
  AND (%(status)s::text IS NULL OR j.status = %(status)s)
  AND (%(kind)s::text IS NULL OR j.kind = %(kind)s)
  AND (%(queue)s::text IS NULL OR j.queue = %(queue)s)
  AND (%(collection_id)s::bigint IS NULL OR j.collection_id = %(collection_id)s)
  AND (%(since)s::timestamptz IS NULL OR j.created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR j.created_at < %(until)s)
  AND (%(code)s::text IS NULL OR j.error ->> 'code' = %(code)s OR (j.failed > 0 AND EXISTS (
       SELECT FROM job_items i WHERE i.job_id = j.id AND i.status = 'failed' AND i.error ->> 'code' = %(code)s)))
  AND (%(before)s::uuid IS NULL OR j.id < %(before)s)
ORDER BY j.id DESC LIMIT %(limit)s

-- name: retryable_jobs
-- Jobs that are over and match, with an item that could be tried again, oldest first. What was refused when it was sent
-- left no version behind, and is none of them.
SELECT j.id FROM jobs j
WHERE j.tenant_id = %(tenant_id)s AND j.status IN ('failed', 'completed_with_errors')
  AND (%(status)s::text IS NULL OR j.status = %(status)s)
  AND (%(kind)s::text IS NULL OR j.kind = %(kind)s)
  AND (%(queue)s::text IS NULL OR j.queue = %(queue)s)
  AND (%(collection_id)s::bigint IS NULL OR j.collection_id = %(collection_id)s)
  AND (%(since)s::timestamptz IS NULL OR j.created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR j.created_at < %(until)s)
  AND EXISTS (
      SELECT FROM job_items i LEFT JOIN document_versions v ON v.job_id = i.job_id AND v.item_index = i.index
      WHERE i.job_id = j.id AND i.status = 'failed'
        AND (v.status = 'failed' OR j.kind = 'update_metadata_catalog' AND NOT j.params ? 'planned')
        AND (%(code)s::text IS NULL OR i.error ->> 'code' = %(code)s OR j.error ->> 'code' = %(code)s))
  AND (%(after)s::uuid IS NULL OR j.id > %(after)s)
ORDER BY j.id LIMIT %(limit)s

-- name: select_items
-- A page of a job's items in their order.
SELECT index, external_id, status, error FROM job_items
WHERE job_id = %(job_id)s AND tenant_id = %(tenant_id)s
  AND (%(status)s::text IS NULL OR status = %(status)s)
  AND index > coalesce(%(after)s::int, -1)
ORDER BY index LIMIT %(limit)s

-- name: queue_reports
-- What waits and what is at work, by queue.
SELECT q.name, coalesce(j.waiting, 0) AS waiting, coalesce(j.running, 0) AS running,
       extract(epoch FROM now() - j.oldest)::float8 AS oldest_age_s, coalesce(p.texts, 0) AS pending_texts,
       greatest((SELECT c.seen_at FROM canaries c WHERE c.queue = q.name),
                (SELECT max(s.started_at) FROM jobs s WHERE s.queue = q.name)) AS consumed_at
FROM unnest(%(queues)s::text[]) WITH ORDINALITY AS q (name, rank)
LEFT JOIN (
    SELECT queue, count(*) FILTER (WHERE waits) AS waiting, count(*) FILTER (WHERE NOT waits) AS running,
           min(created_at) FILTER (WHERE waits) AS oldest
    FROM jobs, LATERAL (SELECT status IN ('queued', 'retrying') OR status = 'held' AND reason_code = 'no_consumer') w (waits)
    WHERE finished_at IS NULL AND tenant_id = %(tenant_id)s GROUP BY queue
) j ON j.queue = q.name
LEFT JOIN (
    SELECT queue_rank, count(*) AS texts FROM pending WHERE tenant_id = %(tenant_id)s GROUP BY queue_rank
) p ON p.queue_rank = q.rank - 1
ORDER BY q.rank

-- name: claim_job
-- A worker takes a job that waits; only a first try or a retry counts as an attempt, a continued job does not. One that
-- was held since its queue had no consumer has one now.
UPDATE jobs SET status = 'running', claim_id = %(claim_id)s,
       lease_until = now() + make_interval(secs => %(lease_s)s), started_at = coalesce(started_at, now()),
       attempt = attempt + CASE WHEN status = 'retrying' OR started_at IS NULL THEN 1 ELSE 0 END,
       publish_at = NULL, publish_count = 0, reason_code = NULL, reason_detail = NULL, reason_until = NULL
WHERE id = %(id)s AND (status IN ('queued', 'retrying') OR (status = 'held' AND reason_code = 'no_consumer'))
  AND (reason_until IS NULL OR reason_until <= now())
  AND (kind = 'rebuild_index'
       OR NOT EXISTS (SELECT FROM collections c WHERE c.id = collection_id AND c.paused_at IS NOT NULL))
RETURNING id, tenant_id, kind, queue, collection_id, generation_id, attempt, claim_id, params

-- name: renew_claim
-- A sign of life, with what was prepared since the last one; no row means that the claim is lost.
UPDATE jobs SET lease_until = now() + make_interval(secs => %(lease_s)s), prepared = prepared + %(prepared)s,
       chunks_total = chunks_total + %(chunks)s, chunks_done = chunks_done + %(chunks_done)s
WHERE id = %(id)s AND claim_id = %(claim_id)s AND status = 'running'
RETURNING id

-- name: still_claimed
-- Locked, so that the claim holds until the end of this transaction.
SELECT id FROM jobs WHERE id = %(id)s AND claim_id = %(claim_id)s AND status = 'running' FOR UPDATE

-- name: release_claim
-- The claimant has done its part; what remains (embedding) has leases of its own.
UPDATE jobs SET claim_id = NULL, lease_until = NULL WHERE id = %(id)s AND claim_id = %(claim_id)s RETURNING queue

-- name: hand_back
-- The claimant's time is up and work remains: the job waits its turn again; where the claimant had to end before its
-- time, in its old place.
UPDATE jobs SET status = 'queued', claim_id = NULL, lease_until = NULL,
       publish_at = CASE WHEN %(early)s THEN created_at ELSE now() END
WHERE id = %(id)s AND claim_id = %(claim_id)s AND status = 'running' RETURNING queue

-- name: put_off
-- The claimant has nothing to do now: the job waits its turn again, and says for what.
UPDATE jobs SET status = 'queued', claim_id = NULL, lease_until = NULL, reason_code = %(code)s,
       reason_detail = %(detail)s, reason_until = now() + make_interval(secs => %(delay_s)s),
       publish_at = now() + make_interval(secs => %(delay_s)s)
WHERE id = %(id)s AND claim_id = %(claim_id)s AND status = 'running'

-- name: remember
-- What the next claimant should know.
UPDATE jobs SET params = params || %(params)s WHERE id = %(id)s AND claim_id = %(claim_id)s

-- name: retry_later
-- The attempt failed for a passing reason: try again after a delay.
UPDATE jobs SET status = 'retrying', claim_id = NULL, lease_until = NULL, reason_code = %(code)s,
       reason_detail = %(detail)s, reason_until = now() + make_interval(secs => %(delay_s)s),
       publish_at = now() + make_interval(secs => %(delay_s)s)
WHERE id = %(id)s AND claim_id = %(claim_id)s AND status = 'running'

-- name: lock_jobs
-- Everybody who changes several jobs locks them in this order.
SELECT id FROM jobs WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE

-- name: settle_items
-- Items reach their final status, and are counted, once.
WITH settled AS (
    UPDATE job_items i SET status = o.status, error = o.error::jsonb
    FROM unnest(%(job_ids)s::uuid[], %(indexes)s::int[], %(statuses)s::text[], %(errors)s::text[], %(cached)s::bool[])
         AS o (job_id, index, status, error, cached)
    WHERE i.job_id = o.job_id AND i.index = o.index AND i.status IN ('queued', 'embedding')
    RETURNING i.job_id, i.status, o.cached
), sums AS (
    SELECT job_id, count(*) FILTER (WHERE status = 'completed') AS completed,
           count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'skipped') AS skipped,
           count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
           count(*) FILTER (WHERE status = 'completed' AND cached) AS cached
    FROM settled GROUP BY job_id
)
UPDATE jobs j SET completed = j.completed + s.completed, failed = j.failed + s.failed, skipped = j.skipped + s.skipped,
       cancelled = j.cancelled + s.cancelled, cached = j.cached + s.cached
FROM sums s WHERE j.id = s.job_id

-- name: settle_all_items
-- Whatever of a job's items is not final becomes final the same way.
UPDATE job_items SET status = %(status)s, error = %(error)s
WHERE job_id = %(job_id)s AND status IN ('queued', 'embedding')

-- name: count_the_rest
-- And so does whatever was not counted yet, which for a job without items is its steps.
UPDATE jobs SET total = greatest(total, 1), error = %(error)s,
       failed = failed + CASE WHEN %(status)s = 'failed'
           THEN greatest(total, 1) - completed - failed - skipped - cancelled ELSE 0 END,
       cancelled = cancelled + CASE WHEN %(status)s = 'cancelled'
           THEN greatest(total, 1) - completed - failed - skipped - cancelled ELSE 0 END
WHERE id = %(job_id)s AND finished_at IS NULL

-- name: count_steps
-- For a job whose steps are not items: so many more of them are done.
UPDATE jobs SET completed = completed + %(completed)s, prepared = prepared + %(completed)s
WHERE id = %(id)s AND claim_id = %(claim_id)s

-- name: set_total
-- For a job whose steps are known only once it runs; what an earlier attempt did stays counted.
UPDATE jobs SET total = completed + %(steps)s WHERE id = %(id)s AND claim_id = %(claim_id)s

-- name: note_result
-- What a job without items has to tell, kept when it ends.
UPDATE jobs SET result = coalesce(result, '{}') || %(result)s WHERE id = %(id)s AND claim_id = %(claim_id)s

-- name: begin_step
-- So many more steps are done and so many remain; the one at hand is of so many rows, none of which is done.
UPDATE jobs SET completed = completed + %(done)s, prepared = prepared + %(done)s, total = completed + %(done)s + %(steps)s,
       chunks_total = %(rows)s, chunks_done = 0
WHERE id = %(id)s AND claim_id = %(claim_id)s

-- name: finish_jobs
-- A job ends, once, when every item of it is final; `existing` ones were skipped at the door. An index is built whole or the job has failed. One that is being
-- cancelled is ended by who drops what it leaves (`cancelled`).
WITH over AS (
    SELECT id, CASE WHEN status = 'cancelling' THEN 'cancelled'
                    WHEN failed = 0 THEN 'succeeded'
                    WHEN completed + skipped = 0 OR kind = 'rebuild_index' THEN 'failed'
                    ELSE 'completed_with_errors' END AS outcome
    FROM jobs WHERE id = ANY(%(ids)s) AND finished_at IS NULL AND completed + failed + skipped + cancelled = total
      AND (status = 'cancelling') = %(cancelled)s
)
UPDATE jobs j SET status = over.outcome, finished_at = now(), started_at = coalesce(started_at, now()),
       claim_id = NULL, lease_until = NULL, publish_at = NULL,
       reason_code = NULL, reason_detail = NULL, reason_until = NULL,
       result = coalesce(result, '{}') || jsonb_strip_nulls(jsonb_build_object(
           'completed', completed, 'existing', params -> 'existing',
           'superseded', skipped > coalesce((params ->> 'existing')::int, 0))),
       error = CASE WHEN over.outcome <> 'failed' THEN NULL
                    WHEN error IS NOT NULL THEN error
                    WHEN total = 1 THEN (SELECT i.error FROM job_items i WHERE i.job_id = j.id)
                    ELSE jsonb_build_object('code', 'all_items_failed', 'detail',
                         'every item failed; see /v1/jobs/' || j.id || '/items?status=failed') END
FROM over WHERE j.id = over.id
RETURNING j.kind, j.queue, j.status, extract(epoch FROM j.finished_at - j.created_at)::float8 AS seconds

-- name: begin_cancel
-- From here on nothing more is claimed or paid for this job; finish_cancel ends it.
UPDATE jobs SET status = 'cancelling', publish_at = NULL, claim_id = NULL, lease_until = NULL, reason_code = NULL,
       reason_detail = NULL, reason_until = NULL
WHERE id = %(id)s AND tenant_id = %(tenant_id)s AND finished_at IS NULL AND status <> 'cancelling'

-- name: cancel_jobs_of_collection
-- The collection is being deleted.
UPDATE jobs SET status = 'cancelling', publish_at = NULL, claim_id = NULL, lease_until = NULL, reason_code = NULL,
       reason_detail = NULL, reason_until = NULL
WHERE id IN (SELECT id FROM jobs WHERE collection_id = %(collection_id)s AND finished_at IS NULL
             AND status <> 'cancelling' ORDER BY id FOR UPDATE)

-- name: lock_failed_documents
-- In the order that everybody keeps: a newer version going live, or a deletion, must not slip in between.
SELECT id FROM documents WHERE id IN (
    SELECT document_id FROM document_versions WHERE job_id = %(job_id)s AND status = 'failed')
ORDER BY collection_id, external_id FOR UPDATE

-- name: retry_items
-- The failed items of a job that is over wait again: all, or those that failed with this code. What was refused when it
-- was sent left no version behind; an update of the catalog that has not begun has none yet.
UPDATE job_items i SET status = 'queued', error = NULL, tries = 0
WHERE i.job_id = %(job_id)s AND i.status = 'failed'
  AND (EXISTS (SELECT FROM document_versions v WHERE v.job_id = i.job_id AND v.item_index = i.index)
       OR EXISTS (SELECT FROM jobs j WHERE j.id = i.job_id AND j.kind = 'update_metadata_catalog'
                  AND NOT j.params ? 'planned'))
  AND (%(code)s::text IS NULL OR i.error ->> 'code' = %(code)s
       OR EXISTS (SELECT FROM jobs j WHERE j.id = i.job_id AND j.error ->> 'code' = %(code)s))

-- name: retry_versions
-- What they are to become waits with them.
UPDATE document_versions v SET status = 'waiting' FROM job_items i
WHERE v.job_id = %(job_id)s AND v.status = 'failed' AND i.job_id = v.job_id AND i.index = v.item_index
  AND i.status = 'queued'

-- name: retry_job
-- A job that is over and has failed items waits again, as new.
UPDATE jobs SET status = 'queued', finished_at = NULL, started_at = NULL, attempt = 0, publish_at = now(),
       publish_count = 0, params = params - 'isolate', error = NULL, result = NULL, failed = failed - %(items)s,
       prepared = greatest(0, prepared - %(items)s)
WHERE id = %(id)s AND tenant_id = %(tenant_id)s AND status IN ('failed', 'completed_with_errors')

-- name: move_job
-- A job that is not over changes its queue. One that waits is published there; the message in the old queue finds it
-- claimed, or claims it. One that waited for its old queue's consumer does so no more; one of a paused collection is
-- published when that is resumed.
UPDATE jobs SET queue = %(queue)s,
       status = CASE WHEN reason_code = 'no_consumer' THEN 'queued' ELSE status END,
       publish_at = CASE WHEN status IN ('queued', 'retrying') OR reason_code = 'no_consumer'
                         THEN greatest(now(), reason_until) ELSE publish_at END,
       publish_count = CASE WHEN status IN ('queued', 'retrying', 'held') THEN 0 ELSE publish_count END,
       reason_code = nullif(reason_code, 'no_consumer'),
       reason_detail = CASE WHEN reason_code = 'no_consumer' THEN NULL ELSE reason_detail END
WHERE id = %(id)s AND tenant_id = %(tenant_id)s AND status IN ('queued', 'held', 'running', 'retrying')
  AND queue <> %(queue)s AND kind <> 'rebuild_index'

-- name: move_texts
-- And so do those of its texts that wait, or will wait again. What somebody has locked at this moment is not waited for,
-- since whoever holds it may be waiting for the job.
UPDATE pending SET queue_rank = %(rank)s WHERE (chunk_id, generation_id) IN (
    SELECT chunk_id, generation_id FROM pending
    WHERE version_id = ANY(%(version_ids)s) AND job_id = %(job_id)s AND queue_rank <> %(rank)s
      AND EXISTS (SELECT FROM jobs WHERE id = %(job_id)s AND queue = %(queue)s)
    FOR UPDATE SKIP LOCKED)

-- name: versions_to_move
-- What a job has yet to make live.
SELECT id FROM document_versions WHERE job_id = %(job_id)s AND status = 'waiting' ORDER BY id

-- name: backlog
-- What is not over, by tenant: an index-only scan of jobs_under_way.
SELECT tenant_id, count(*), coalesce(sum(bytes), 0)::bigint FROM jobs WHERE finished_at IS NULL GROUP BY tenant_id

-- name: hold_jobs
-- Jobs whose texts were given back wait with a reason; jobs that still have a claimant go on, and those that are held
-- for more than their texts stay so.
UPDATE jobs SET status = 'held', reason_code = %(code)s, reason_detail = %(detail)s, reason_until = %(until)s
WHERE id = ANY(%(ids)s) AND claim_id IS NULL
  AND (status = 'running' OR (status = 'held' AND reason_code NOT IN ('paused', 'no_consumer')))

-- name: held_jobs
-- Which of these are held for their texts.
SELECT id FROM jobs WHERE id = ANY(%(ids)s) AND status = 'held' AND reason_code NOT IN ('paused', 'no_consumer')

-- name: unhold_jobs
-- Their texts have been claimed again.
UPDATE jobs SET status = 'running', reason_code = NULL, reason_detail = NULL, reason_until = NULL
WHERE id = ANY(%(ids)s) AND status = 'held' AND reason_code NOT IN ('paused', 'no_consumer')
