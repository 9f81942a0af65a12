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

-- name: hold_paused
-- Jobs of a paused collection wait, whether they have begun or not; who has a claim gives it back first.
UPDATE jobs SET status = 'held', publish_at = NULL, reason_code = 'paused', reason_detail = %(detail)s,
       reason_until = NULL
WHERE id IN (
    SELECT j.id FROM collections c JOIN jobs j ON j.collection_id = c.id
    WHERE c.paused_at IS NOT NULL AND j.status IN ('queued', 'retrying', 'running') AND j.claim_id IS NULL
      AND j.kind IN ('ingest_document', 'batch_embed')
    LIMIT %(limit)s FOR UPDATE OF j SKIP LOCKED
)

-- name: resumed
-- Their collection is not paused any more: what is not split goes to a worker, what is split waits for its vectors.
-- Collections with held jobs are found one after the other in the index, however many jobs each has.
WITH RECURSIVE paused AS (
    (SELECT queue, collection_id FROM jobs WHERE status = 'held' AND reason_code = 'paused' AND collection_id IS NOT NULL
     ORDER BY queue, collection_id LIMIT 1)
    UNION ALL
    SELECT n.queue, n.collection_id FROM paused p, LATERAL (
        SELECT j.queue, j.collection_id FROM jobs j
        WHERE j.status = 'held' AND j.reason_code = 'paused' AND (j.queue, j.collection_id) > (p.queue, p.collection_id)
        ORDER BY j.queue, j.collection_id LIMIT 1) n
)
UPDATE jobs w SET started_at = CASE WHEN u.unsplit THEN w.started_at ELSE coalesce(w.started_at, now()) END,
       status = CASE WHEN u.unsplit THEN 'queued' ELSE 'running' END,
       publish_at = CASE WHEN u.unsplit THEN now() END,
       reason_code = NULL, reason_detail = NULL, reason_until = NULL
FROM (
    SELECT j.id, EXISTS (SELECT FROM job_items i WHERE i.job_id = j.id AND i.status = 'queued') AS unsplit
    FROM paused p JOIN collections c ON c.id = p.collection_id AND c.paused_at IS NULL
    JOIN jobs j ON j.queue = p.queue AND j.collection_id = p.collection_id
    WHERE j.status = 'held' AND j.reason_code = 'paused' LIMIT %(limit)s FOR UPDATE OF j SKIP LOCKED
) u WHERE w.id = u.id

-- name: hold_for_provider
-- Jobs whose texts nobody asks for now, since the provider gives nothing; those that are held for it already hear of a
-- later time.
UPDATE jobs w SET status = 'held', reason_code = m.reason_code, reason_detail = m.reason_detail,
       reason_until = m.paused_until
FROM (
    SELECT j.id, m.reason_code, m.reason_detail, m.paused_until
    FROM pauses m JOIN generations g ON g.model = m.model AND g.status IN ('serving', 'catching_up')
    JOIN jobs j ON j.collection_id = g.collection_id
    WHERE m.paused_until > now() + interval '1 second' AND j.claim_id IS NULL
      AND j.kind IN ('ingest_document', 'batch_embed') AND j.status IN ('running', 'held')
      AND (j.status = 'running' OR (j.reason_code = ANY(%(codes)s) AND j.reason_until < m.paused_until
                                    AND j.reason_until <= now() + interval '1 second'))
      AND EXISTS (SELECT FROM document_versions v JOIN pending p ON p.version_id = v.id
                  WHERE v.job_id = j.id AND v.status = 'waiting' AND p.model = m.model AND p.claim_id IS NULL)
    LIMIT %(limit)s FOR UPDATE OF j SKIP LOCKED
) m WHERE w.id = m.id

-- name: provider_again
-- Jobs that were held for the provider and need not wait any more. A pause that is just over is waited for a little
-- longer (`probe_s`): the one request that tries whether the provider is back either ends the pause or begins another.
UPDATE jobs SET status = 'running', reason_code = NULL, reason_detail = NULL, reason_until = NULL
WHERE id IN (
    SELECT j.id FROM jobs j WHERE j.status = 'held' AND j.claim_id IS NULL AND j.reason_code = ANY(%(codes)s)
      AND NOT EXISTS (SELECT FROM generations g JOIN pauses m ON m.model = g.model
                      WHERE g.collection_id = j.collection_id AND g.status IN ('serving', 'catching_up')
                        AND m.paused_until > now() - make_interval(secs => %(probe_s)s))
      AND NOT EXISTS (SELECT FROM document_versions v JOIN pending p ON p.version_id = v.id
                      WHERE v.job_id = j.id AND v.status = 'waiting' AND p.not_before > now())
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)

-- name: hold_for_budget
-- Jobs whose texts nobody asks for, since their tenant's budget is spent; those that are held for it already hear of
-- another budget, or of a later time.
UPDATE jobs w SET status = 'held', reason_code = 'budget', reason_detail = u.detail, reason_until = u.resets_at
FROM (
    SELECT j.id, b.detail, b.resets_at FROM budgets b JOIN jobs j ON j.tenant_id = b.tenant_id
    WHERE b.is_spent AND j.claim_id IS NULL AND j.finished_at IS NULL
      AND j.kind IN ('ingest_document', 'batch_embed', 'update_metadata_catalog')
      AND (j.status = 'running' OR (j.status = 'held' AND j.reason_code = 'budget'
                                    AND (j.reason_detail, j.reason_until) IS DISTINCT FROM (b.detail, b.resets_at)))
      AND EXISTS (SELECT FROM document_versions v JOIN pending p ON p.version_id = v.id
                  WHERE v.job_id = j.id AND v.status = 'waiting' AND p.claim_id IS NULL)
    LIMIT %(limit)s FOR UPDATE OF j SKIP LOCKED
) u WHERE w.id = u.id

-- name: within_budget
-- Their tenant may spend again: the day or the month is over, or the budget was raised.
UPDATE jobs SET status = 'running', reason_code = NULL, reason_detail = NULL, reason_until = NULL
WHERE id IN (
    SELECT j.id FROM jobs j WHERE j.status = 'held' AND j.claim_id IS NULL AND j.reason_code = 'budget'
      AND NOT EXISTS (SELECT FROM budgets b WHERE b.tenant_id = j.tenant_id AND b.is_spent)
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)

-- name: hold_without_consumer
-- Jobs that wait in a queue which no worker serves say so. Their marks and messages stand: whoever gets one may claim it.
UPDATE jobs SET status = 'held', reason_code = 'no_consumer', reason_until = NULL,
       reason_detail = 'no worker serves the queue ' || queue || ': start one that does, for instance with '
           || 'celery -A tasks worker -n ' || queue || '@%%h -Q ' || queue
WHERE id IN (SELECT id FROM jobs WHERE status = 'queued' AND queue = ANY(%(queues)s)
             ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)

-- name: consumed_again
-- A worker serves their queue again.
UPDATE jobs SET status = 'queued', reason_code = NULL, reason_detail = NULL, reason_until = NULL
WHERE id IN (SELECT id FROM jobs WHERE status = 'held' AND reason_code = 'no_consumer' AND queue = ANY(%(queues)s)
             LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
