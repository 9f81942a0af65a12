-- name: due
-- Takes the jobs that are published next. A queue has room for so many as the window is larger than what waits in the
-- broker; its tenants take turns: the k-th next job of a tenant stands at (in the broker + k) / weight, and the smallest
-- go first. The backlog is neither sorted nor counted: who waits is found tenant by tenant in the index, and at most
-- `room` jobs of each are looked at.
-- Several publishers never publish the same job at the same time, but each sees the room that the others have not
-- filled yet: together they may exceed the window a little. Where the publishing fails, the mark is due again a little
-- later, each time later. Queues with room for fewer than `at_least` jobs are left alone.
WITH RECURSIVE published AS MATERIALIZED (
    SELECT queue, tenant_id, count(*) AS jobs FROM jobs
    WHERE publish_at IS NULL AND (status IN ('queued', 'retrying') OR (status = 'held' AND reason_code = 'no_consumer'))
    GROUP BY queue, tenant_id
), rooms AS MATERIALIZED (
    SELECT q.name AS queue,
           least(%(limit)s, %(window)s - coalesce((SELECT sum(p.jobs) FROM published p WHERE p.queue = q.name), 0)) AS room
    FROM unnest(%(queues)s::text[]) AS q (name)
), waiting AS (
    SELECT r.queue, r.room, (SELECT j.tenant_id FROM jobs j WHERE j.publish_at IS NOT NULL AND j.queue = r.queue
                             ORDER BY j.tenant_id LIMIT 1) AS tenant_id
    FROM rooms r WHERE r.room >= %(at_least)s
    UNION ALL
    SELECT w.queue, w.room, (SELECT j.tenant_id FROM jobs j WHERE j.publish_at IS NOT NULL AND j.queue = w.queue
                             AND j.tenant_id > w.tenant_id ORDER BY j.tenant_id LIMIT 1)
    FROM waiting w WHERE w.tenant_id IS NOT NULL
), turns AS (
    SELECT n.id, w.queue, w.room, row_number() OVER (
               PARTITION BY w.queue ORDER BY (coalesce(p.jobs, 0) + n.place)::float8 / t.weight, n.publish_at, n.id) AS turn
    FROM waiting w JOIN tenants t ON t.id = w.tenant_id
    LEFT JOIN published p ON p.queue = w.queue AND p.tenant_id = w.tenant_id, LATERAL (
        SELECT next.id, next.publish_at, row_number() OVER (ORDER BY next.publish_at, next.id) AS place FROM (
            SELECT j.id, j.publish_at FROM jobs j
            WHERE j.queue = w.queue AND j.tenant_id = w.tenant_id AND j.publish_at <= now()
            ORDER BY j.publish_at LIMIT w.room) next
    ) n
), chosen AS MATERIALIZED (
    SELECT id, turn FROM turns WHERE turn <= room
), taken AS (
    UPDATE jobs SET publish_count = publish_count + 1,
           publish_at = now() + make_interval(secs => least(60, %(again_s)s * 2 ^ least(publish_count, 6)))
    WHERE id IN (SELECT id FROM jobs WHERE id = ANY(ARRAY(SELECT id FROM chosen)) AND publish_at <= now()
                 FOR UPDATE SKIP LOCKED)
    RETURNING id, kind, queue, publish_at
)
SELECT t.id, t.kind, t.queue, t.publish_at FROM taken t JOIN chosen c USING (id) ORDER BY c.turn

-- name: published
-- A message covers these jobs now, unless they have been claimed and marked anew since. `published_at` keeps the order in
-- which the broker got them: whoever asks is told the place (line.sql).
UPDATE jobs j SET publish_at = NULL, published_at = now() + p.place * interval '1 microsecond'
FROM unnest(%(ids)s::uuid[], %(marks)s::timestamptz[]) WITH ORDINALITY AS p (id, mark, place) WHERE j.id = p.id AND j.publish_at = p.mark

-- name: not_published
-- The broker did not take these: they are due again soon, and this was no publication.
UPDATE jobs j SET publish_count = j.publish_count - 1, publish_at = now() + make_interval(secs => least(%(again_s)s, 5))
FROM unnest(%(ids)s::uuid[], %(marks)s::timestamptz[]) AS p (id, mark)
WHERE j.id = p.id AND j.publish_at = p.mark AND j.publish_count > 0

-- name: lost
-- Jobs that no message covers: published a while ago, and either their queue is empty, or what was published later by a
-- clear margin has been taken since, a job or a canary (queues are first in, first out). What only waits in a long queue
-- is not touched. They keep their place among their tenant's jobs.
UPDATE jobs j SET publish_at = published_at
WHERE j.id IN (
    SELECT w.id FROM jobs w
    WHERE w.status IN ('queued', 'retrying') AND w.publish_at IS NULL AND w.queue = %(queue)s
      AND w.published_at < now() - make_interval(secs => %(again_s)s * 2 ^ least(w.publish_count, 6))
      AND (%(empty)s OR w.published_at < (
          SELECT max(s.published_at) - make_interval(secs => %(again_s)s) FROM jobs s
          WHERE s.queue = %(queue)s AND s.started_at > now() - interval '10 minutes' AND s.publish_at IS NULL
            AND s.status NOT IN ('queued', 'retrying')
            AND (s.status <> 'held' OR s.reason_code NOT IN ('paused', 'no_consumer')))
        OR w.published_at < (
          SELECT c.sent_at - make_interval(secs => %(again_s)s) FROM canaries c
          WHERE c.queue = %(queue)s AND c.seen_at >= c.sent_at))
    ORDER BY w.published_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING j.id

-- name: expired_jobs
-- Jobs whose worker has shown no sign of life for a lease: tried again, while attempts remain. One of its items may have
-- killed it, so they are tried one at a time from now on (dbrag/documents/poison.py), in more attempts.
UPDATE jobs SET status = 'retrying', claim_id = NULL, lease_until = NULL, publish_at = created_at,
       params = CASE WHEN kind = 'rebuild_index' THEN params ELSE params || '{"isolate": true}' END,
       reason_code = 'worker_lost', reason_until = NULL,
       reason_detail = 'the worker showed no sign of life; another one takes over'
WHERE id IN (
    SELECT id FROM jobs WHERE lease_until < now() AND status = 'running'
      AND attempt < %(max_attempts)s * CASE WHEN kind = 'rebuild_index' THEN 1 ELSE 4 END
    ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING id

-- name: exhausted_jobs
-- Jobs whose worker was lost in their last attempt; the relay takes the claim, to end them.
UPDATE jobs SET claim_id = gen_random_uuid(), lease_until = now() + make_interval(secs => %(lease_s)s)
WHERE id IN (
    SELECT id FROM jobs WHERE lease_until < now() AND status = 'running'
      AND attempt >= %(max_attempts)s * CASE WHEN kind = 'rebuild_index' THEN 1 ELSE 4 END
    ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING id, claim_id

-- name: unsplit_jobs
-- Jobs at which nobody works though not all of their items are split: another worker goes on. No way is known to get
-- there; none may stay there.
UPDATE jobs SET status = 'queued', publish_at = now()
WHERE id IN (
    SELECT j.id FROM jobs j
    WHERE j.status = 'running' AND j.claim_id IS NULL AND j.kind <> 'rebuild_index' AND EXISTS (
        SELECT FROM job_items i LEFT JOIN document_versions v ON v.job_id = i.job_id AND v.item_index = i.index
        WHERE i.job_id = j.id AND i.status = 'queued'
          AND (v.status = 'waiting' OR j.kind = 'update_metadata_catalog' AND NOT j.params ? 'planned'))
    ORDER BY j.id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)

-- name: stranded_jobs
-- Jobs that wait for documents which are no more, or for documents that wait for no text. No way is known to get there;
-- none may stay there.
SELECT id FROM jobs j WHERE status IN ('running', 'held') AND claim_id IS NULL
  AND NOT (status = 'held' AND reason_code IN ('paused', 'no_consumer') AND collection_id IS NOT NULL)
  AND NOT EXISTS (
      SELECT FROM document_versions v JOIN job_items i ON i.job_id = v.job_id AND i.index = v.item_index
      WHERE v.job_id = j.id AND v.status = 'waiting'
        AND (i.status = 'queued' OR EXISTS (SELECT FROM pending p WHERE p.version_id = v.id)))
ORDER BY id LIMIT %(limit)s

-- name: expired_pending
-- Texts whose worker has died may be claimed again.
UPDATE pending SET claim_id = NULL, lease_until = NULL, deferrals = least(deferrals + 1, 1000)
WHERE (chunk_id, generation_id) IN (
    SELECT chunk_id, generation_id FROM pending WHERE lease_until < now() ORDER BY chunk_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)

-- name: cancelling
-- Jobs that were asked to stop.
SELECT id FROM jobs WHERE status = 'cancelling' ORDER BY id LIMIT %(limit)s
