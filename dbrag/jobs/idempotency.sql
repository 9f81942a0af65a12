-- name: begin_once
-- Whoever holds this lock is at work on the request; it ends with the transaction.
SELECT pg_try_advisory_xact_lock(%(lock)s)

-- name: first_answer
-- What the request was answered when it came first.
SELECT request, job_id, answer FROM idempotency_keys
WHERE id = %(id)s AND created_at > now() - make_interval(hours => %(hours)s)

-- name: keep_answer
-- In the transaction that makes the job. One that is too old gives way.
INSERT INTO idempotency_keys (id, tenant_id, request, job_id, answer)
VALUES (%(id)s, %(tenant_id)s, %(request)s, %(job_id)s, %(answer)s)
ON CONFLICT (id) DO UPDATE SET request = excluded.request, job_id = excluded.job_id, answer = excluded.answer,
       created_at = excluded.created_at

-- name: forget_answers
-- A page of those that are too old.
DELETE FROM idempotency_keys WHERE id IN (
    SELECT id FROM idempotency_keys WHERE created_at <= now() - make_interval(hours => %(hours)s)
    ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
