-- name: due
-- Takes jobs whose outbox mark is due, so that several relays never publish the same one at the same time; where the
-- publishing fails, the mark is due again a little later, each time later.
UPDATE jobs SET publish_count = publish_count + 1,
       publish_at = now() + make_interval(secs => least(60, %(again_s)s * 2 ^ least(publish_count, 6)))
WHERE id IN (
    SELECT id FROM jobs WHERE publish_at <= now() ORDER BY publish_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING id, kind, queue, publish_at

-- name: published
-- A message covers these jobs now, unless they have been claimed and marked anew since.
UPDATE jobs j SET publish_at = NULL, published_at = now()
FROM unnest(%(ids)s::uuid[], %(marks)s::timestamptz[]) AS p (id, mark) WHERE j.id = p.id AND j.publish_at = p.mark

-- name: lost
-- Jobs that no message covers: published a while ago, and either their queue is empty, or a job published later by a
-- clear margin has been started since (queues are first in, first out). What only waits in a long queue is not touched.
UPDATE jobs j SET publish_at = now()
WHERE j.id IN (
    SELECT w.id FROM jobs w
    WHERE w.status IN ('queued', 'retrying') AND w.publish_at IS NULL AND w.queue = %(queue)s
      AND w.published_at < now() - make_interval(secs => %(again_s)s * 2 ^ least(w.publish_count, 6))
      AND (%(empty)s OR w.published_at < (
          SELECT max(s.published_at) - make_interval(secs => %(again_s)s) FROM jobs s
          WHERE s.queue = %(queue)s AND s.started_at > now() - interval '10 minutes'))
    ORDER BY w.published_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING j.id

-- name: expired_jobs
-- Jobs whose worker has shown no sign of life for a lease: tried again, while attempts remain.
UPDATE jobs SET status = 'retrying', claim_id = NULL, lease_until = NULL, publish_at = now(),
       reason_code = 'worker_lost', reason_until = NULL,
       reason_detail = 'the worker showed no sign of life; another one takes over'
WHERE id IN (
    SELECT id FROM jobs WHERE lease_until < now() AND status = 'running' AND attempt < %(max_attempts)s
    ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING id

-- name: exhausted_jobs
-- Jobs whose worker was lost in their last attempt; the relay takes the claim, to end them.
UPDATE jobs SET claim_id = gen_random_uuid(), lease_until = now() + make_interval(secs => %(lease_s)s)
WHERE id IN (
    SELECT id FROM jobs WHERE lease_until < now() AND status = 'running' AND attempt >= %(max_attempts)s
    ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING id

-- name: stranded_jobs
-- Jobs that wait for documents which are no more. No way is known to get there; none may stay there.
SELECT id FROM jobs j WHERE status IN ('running', 'held') AND claim_id IS NULL
  AND NOT EXISTS (SELECT FROM document_versions v WHERE v.job_id = j.id AND v.status = 'waiting')
ORDER BY id LIMIT %(limit)s

-- name: expired_pending
-- Texts whose worker has died may be claimed again.
UPDATE pending SET claim_id = NULL, lease_until = NULL, deferrals = least(deferrals + 1, 1000)
WHERE (chunk_id, generation_id) IN (
    SELECT chunk_id, generation_id FROM pending WHERE lease_until < now() ORDER BY chunk_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)

-- name: hold_for_index
-- Jobs that wait for vectors of a generation that takes none now. One that is only being built holds nobody up before
-- documents wait for it too.
UPDATE jobs SET status = 'held', reason_code = 'indexing', reason_detail = %(detail)s, reason_until = NULL
WHERE id IN (
    SELECT j.id FROM jobs j JOIN generations g ON g.collection_id = j.collection_id
    WHERE g.id = ANY(%(generation_ids)s) AND g.status IN ('serving', 'catching_up')
      AND j.status = 'running' AND j.claim_id IS NULL AND j.kind IN ('ingest_document', 'batch_embed')
    ORDER BY j.id LIMIT %(limit)s FOR UPDATE OF j SKIP LOCKED
)

-- name: indexed_again
-- Jobs that need not wait for an index any more.
UPDATE jobs SET status = 'running', reason_code = NULL, reason_detail = NULL, reason_until = NULL
WHERE id IN (
    SELECT j.id FROM jobs j WHERE j.status = 'held' AND j.claim_id IS NULL AND j.reason_code = 'indexing'
      AND NOT EXISTS (SELECT FROM generations g WHERE g.collection_id = j.collection_id AND g.id = ANY(%(generation_ids)s)
                      AND g.status IN ('serving', 'catching_up'))
    ORDER BY j.id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)

-- name: cancelling
-- Jobs that were asked to stop.
SELECT id FROM jobs WHERE status = 'cancelling' ORDER BY id LIMIT %(limit)s
