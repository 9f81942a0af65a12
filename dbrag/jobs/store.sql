-- name: insert_job
-- Accepts a job; publish_at is the outbox mark. An item that failed at the door is counted at once.
INSERT INTO jobs (id, tenant_id, kind, queue, collection_id, generation_id, params, total, failed, prepared)
VALUES (%(id)s, %(tenant_id)s, %(kind)s, %(queue)s, %(collection_id)s, %(generation_id)s, %(params)s, %(total)s,
        %(failed)s, %(failed)s)

-- name: insert_items
-- The items of a job; those with an error have failed already.
INSERT INTO job_items (job_id, tenant_id, index, external_id, status, error)
SELECT %(job_id)s, %(tenant_id)s, item.index, item.external_id,
       CASE WHEN item.error IS NULL THEN 'queued' ELSE 'failed' END, item.error::jsonb
FROM unnest(%(indexes)s::int[], %(external_ids)s::text[], %(errors)s::text[]) AS item (index, external_id, error)

-- name: select_job
-- One job as its owner sees it. A place in the queue exists while no worker has claimed it; nobody counts past 10,000.
SELECT j.id, j.tenant_id, j.kind, j.status, j.queue, j.collection_id, j.created_at, j.started_at, j.finished_at,
       j.attempt, j.reason_code, j.reason_detail, j.reason_until, j.total, j.completed, j.failed, j.skipped,
       j.cancelled, j.cached, j.prepared, j.chunks_total, j.chunks_done, j.result, j.error,
       u.prompt_tokens, u.texts_from_cache, u.cost_usd,
       CASE WHEN j.status = 'queued' THEN 1 + (SELECT count(*) FROM (
           SELECT FROM jobs o WHERE o.status = 'queued' AND o.queue = j.queue AND o.id < j.id LIMIT 10000) ahead)
       END AS queue_position
FROM jobs j, LATERAL (
    SELECT coalesce(sum(prompt_tokens), 0)::bigint AS prompt_tokens,
           coalesce(sum(texts_from_cache), 0)::bigint AS texts_from_cache,
           coalesce(sum(cost_usd), 0)::float8 AS cost_usd
    FROM usage WHERE job_id = j.id
) u
WHERE j.id = %(id)s AND j.tenant_id = %(tenant_id)s

-- name: select_jobs
-- A page of a tenant's jobs, newest first (ids are UUIDv7). No places in the queue: each would cost a count.
SELECT j.id, j.tenant_id, j.kind, j.status, j.queue, j.collection_id, j.created_at, j.started_at, j.finished_at,
       j.attempt, j.reason_code, j.reason_detail, j.reason_until, j.total, j.completed, j.failed, j.skipped,
       j.cancelled, j.cached, j.prepared, j.chunks_total, j.chunks_done, j.result, j.error,
       u.prompt_tokens, u.texts_from_cache, u.cost_usd
FROM jobs j, LATERAL (
    SELECT coalesce(sum(prompt_tokens), 0)::bigint AS prompt_tokens,
           coalesce(sum(texts_from_cache), 0)::bigint AS texts_from_cache,
           coalesce(sum(cost_usd), 0)::float8 AS cost_usd
    FROM usage WHERE job_id = j.id
) u
WHERE j.tenant_id = %(tenant_id)s
  AND (%(status)s::text IS NULL OR j.status = %(status)s)
  AND (%(kind)s::text IS NULL OR j.kind = %(kind)s)
  AND (%(queue)s::text IS NULL OR j.queue = %(queue)s)
  AND (%(collection_id)s::bigint IS NULL OR j.collection_id = %(collection_id)s)
  AND (%(before)s::uuid IS NULL OR j.id < %(before)s)
ORDER BY j.id DESC LIMIT %(limit)s

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
       extract(epoch FROM now() - j.oldest)::float8 AS oldest_age_s, coalesce(p.texts, 0) AS pending_texts
FROM unnest(%(queues)s::text[]) WITH ORDINALITY AS q (name, rank)
LEFT JOIN (
    SELECT queue, count(*) FILTER (WHERE status IN ('queued', 'retrying')) AS waiting,
           count(*) FILTER (WHERE status NOT IN ('queued', 'retrying')) AS running,
           min(created_at) FILTER (WHERE status IN ('queued', 'retrying')) AS oldest
    FROM jobs WHERE finished_at IS NULL AND tenant_id = %(tenant_id)s GROUP BY queue
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

-- name: release_claim
-- The claimant has done its part; what remains (embedding) has leases of its own.
UPDATE jobs SET claim_id = NULL, lease_until = NULL WHERE id = %(id)s AND claim_id = %(claim_id)s

-- name: hand_back
-- The claimant's time is up and work remains: the job waits its turn again.
UPDATE jobs SET status = 'queued', claim_id = NULL, lease_until = NULL, publish_at = now()
WHERE id = %(id)s AND claim_id = %(claim_id)s AND status = 'running'

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
-- A job ends, once, when every item of it is final. An index is built whole or the job has failed.
WITH over AS (
    SELECT id, CASE WHEN status = 'cancelling' THEN 'cancelled'
                    WHEN failed = 0 THEN 'succeeded'
                    WHEN completed + skipped = 0 OR kind = 'rebuild_index' THEN 'failed'
                    ELSE 'completed_with_errors' END AS outcome
    FROM jobs WHERE id = ANY(%(ids)s) AND finished_at IS NULL AND completed + failed + skipped + cancelled = total
)
UPDATE jobs j SET status = over.outcome, finished_at = now(), started_at = coalesce(started_at, now()),
       claim_id = NULL, lease_until = NULL, publish_at = NULL,
       reason_code = NULL, reason_detail = NULL, reason_until = NULL,
       result = coalesce(result, '{}') || jsonb_build_object('completed', completed, 'superseded', skipped > 0),
       error = CASE WHEN over.outcome <> 'failed' THEN NULL
                    WHEN error IS NOT NULL THEN error
                    WHEN total = 1 THEN (SELECT i.error FROM job_items i WHERE i.job_id = j.id)
                    ELSE jsonb_build_object('code', 'all_items_failed', 'detail',
                         'every item failed; see /v1/jobs/' || j.id || '/items?status=failed') END
FROM over WHERE j.id = over.id
RETURNING j.id, j.status

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
-- The failed items of a job that is over wait again.
UPDATE job_items SET status = 'queued', error = NULL WHERE job_id = %(job_id)s AND status = 'failed' AND EXISTS (
    SELECT FROM document_versions v WHERE v.job_id = job_items.job_id AND v.item_index = job_items.index)

-- name: retry_versions
-- What they are to become waits with them.
UPDATE document_versions v SET status = 'waiting' FROM job_items i
WHERE v.job_id = %(job_id)s AND v.status = 'failed' AND i.job_id = v.job_id AND i.index = v.item_index
  AND i.status = 'queued'

-- name: retry_job
-- A job that is over and has failed items waits again, as new.
UPDATE jobs SET status = 'queued', finished_at = NULL, started_at = NULL, attempt = 0, publish_at = now(),
       publish_count = 0, error = NULL, result = NULL, failed = failed - %(items)s, prepared = prepared - %(items)s
WHERE id = %(id)s AND tenant_id = %(tenant_id)s AND status IN ('failed', 'completed_with_errors')

-- name: hold_jobs
-- Jobs whose texts were given back wait with a reason; jobs that still have a claimant go on, and those that wait to be
-- split keep their reason.
UPDATE jobs SET status = 'held', reason_code = %(code)s, reason_detail = %(detail)s, reason_until = %(until)s
WHERE id = ANY(%(ids)s) AND claim_id IS NULL
  AND (status = 'running' OR status = 'held' AND reason_code NOT IN ('no_consumer', 'paused'))

-- name: held_jobs
-- Which of these are held for the sake of their texts. Others may have to be split first: the relay lets them go on.
SELECT id FROM jobs WHERE id = ANY(%(ids)s) AND status = 'held' AND reason_code NOT IN ('no_consumer', 'paused')

-- name: unhold_jobs
-- Their texts have been claimed again.
UPDATE jobs SET status = 'running', reason_code = NULL, reason_detail = NULL, reason_until = NULL
WHERE id = ANY(%(ids)s) AND status = 'held' AND reason_code NOT IN ('no_consumer', 'paused')
