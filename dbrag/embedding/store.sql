-- name: little_waits
-- Documents are being split at this moment, and few texts wait.
SELECT EXISTS (SELECT FROM jobs WHERE lease_until IS NOT NULL AND kind IN ('ingest_document', 'batch_embed'))
   AND (SELECT count(*) FROM (SELECT FROM pending WHERE claim_id IS NULL LIMIT %(little)s) p) BETWEEN 1 AND %(little)s - 1

-- name: lock_claims
-- One claim at a time (some 20 ms), so that each sees what the others have taken.
SELECT pg_advisory_xact_lock(%(key)s)

-- name: claim
-- Those that fit into the request. What somebody is deleting, or moving to another version, is left for the next one.
UPDATE pending p SET claim_id = %(claim_id)s, lease_until = now() + make_interval(secs => %(lease_s)s), not_before = NULL
FROM (
    SELECT q.chunk_id, q.generation_id FROM pending q
    JOIN unnest(%(chunk_ids)s::bigint[], %(generation_ids)s::bigint[]) AS k (chunk_id, generation_id)
         USING (chunk_id, generation_id)
    WHERE q.claim_id IS NULL FOR UPDATE OF q SKIP LOCKED
) c
WHERE p.chunk_id = c.chunk_id AND p.generation_id = c.generation_id

-- name: drop_dead
-- Claimed texts that nobody needs any more: their version was overtaken, cancelled or deleted, their job cancelled, or
-- their generation abandoned.
DELETE FROM pending p WHERE p.claim_id = %(claim_id)s AND (
    NOT EXISTS (SELECT FROM document_versions v WHERE v.id = p.version_id AND v.status IN ('waiting', 'live'))
    OR EXISTS (SELECT FROM jobs j WHERE j.id = p.job_id AND j.status = 'cancelling')
    OR NOT EXISTS (SELECT FROM generations g WHERE g.id = p.generation_id AND g.status <> 'abandoned'))

-- name: claimed_texts
-- What was claimed.
SELECT p.chunk_id, p.version_id, p.job_id, p.tenant_id, p.generation_id, p.tokens, p.queue_rank, p.deferrals, c.hash,
       c.text
FROM pending p JOIN chunks c ON c.id = p.chunk_id WHERE p.claim_id = %(claim_id)s ORDER BY p.queue_rank, p.chunk_id

-- name: still_wanted
-- Which of the claimed texts somebody still needs; reads only, since whoever ends their job deletes them.
SELECT DISTINCT p.hash FROM pending p
JOIN document_versions v ON v.id = p.version_id AND v.status IN ('waiting', 'live')
JOIN jobs j ON j.id = p.job_id AND j.status <> 'cancelling'
WHERE p.claim_id = %(claim_id)s

-- name: is_old
-- Whether so long an outage as is waited for is over since the job came.
SELECT EXISTS (SELECT FROM jobs WHERE id = %(job_id)s AND created_at < now() - interval '15 minutes')

-- name: record_usage
-- What a request cost, split among the jobs whose texts it held, or what did not have to be asked for.
INSERT INTO usage (tenant_id, job_id, model, texts, prompt_tokens, texts_from_cache, cost_usd)
SELECT u.tenant_id, u.job_id, %(model)s, u.texts, u.prompt_tokens, u.texts_from_cache, u.cost_usd
FROM unnest(%(tenant_ids)s::uuid[], %(job_ids)s::uuid[], %(texts)s::int[], %(prompt_tokens)s::bigint[],
            %(texts_from_cache)s::int[], %(costs_usd)s::numeric[])
     AS u (tenant_id, job_id, texts, prompt_tokens, texts_from_cache, cost_usd)

-- name: record_query
-- What embedding a search's query cost.
INSERT INTO usage (tenant_id, model, texts, prompt_tokens, cost_usd)
VALUES (%(tenant_id)s, %(model)s, 1, %(prompt_tokens)s, %(cost_usd)s)

-- name: take_pending
-- The rows of this claim whose fate is known; what was cancelled or taken over is not among them.
DELETE FROM pending p USING unnest(%(chunk_ids)s::bigint[], %(generation_ids)s::bigint[]) AS k (chunk_id, generation_id)
WHERE p.chunk_id = k.chunk_id AND p.generation_id = k.generation_id AND p.claim_id = %(claim_id)s
RETURNING p.chunk_id, p.generation_id, p.version_id

-- name: give_back
-- Texts that could not be embedded now wait, and are packed again.
UPDATE pending SET claim_id = NULL, lease_until = NULL, not_before = %(not_before)s, deferrals = least(deferrals + %(failures)s, 1000)
WHERE claim_id = %(claim_id)s RETURNING job_id

-- name: count_chunks
-- Jobs' progress, under their locks.
UPDATE jobs j SET chunks_done = j.chunks_done + d.chunks
FROM unnest(%(job_ids)s::uuid[], %(chunks)s::int[]) AS d (job_id, chunks) WHERE j.id = d.job_id
