-- name: waiting
-- Generations with texts that can be claimed now, most urgent queue first. The index `pending_next` is hopped through,
-- two steps a generation, however many texts wait. Left out are generations with too many rows that have no index
-- (`overdue`), those of paused collections and of tenants whose budget is spent, and models that are paused.
WITH RECURSIVE groups AS (
    (SELECT queue_rank, generation_id, tenant_id, model, dimensions FROM pending WHERE claim_id IS NULL
     ORDER BY queue_rank, generation_id LIMIT 1)
    UNION ALL
    SELECT n.* FROM groups g CROSS JOIN LATERAL (
        SELECT queue_rank, generation_id, tenant_id, model, dimensions FROM pending
        WHERE claim_id IS NULL AND (queue_rank, generation_id) > (g.queue_rank, g.generation_id)
        ORDER BY queue_rank, generation_id LIMIT 1) n
)
SELECT g.queue_rank, g.generation_id, g.tenant_id, g.model, g.dimensions, coalesce(t.weight, 1), p.failures
FROM groups g LEFT JOIN tenants t ON t.id = g.tenant_id LEFT JOIN pauses p ON p.model = g.model
CROSS JOIN LATERAL (
    SELECT FROM pending w WHERE w.claim_id IS NULL AND w.queue_rank = g.queue_rank AND w.generation_id = g.generation_id
       AND (w.not_before IS NULL OR w.not_before <= now())
    ORDER BY w.queue_rank, w.generation_id, w.chunk_id LIMIT 1) one_is_ready
WHERE g.generation_id <> ALL(%(overdue)s) AND (p.paused_until IS NULL OR p.paused_until <= now())
  AND NOT EXISTS (SELECT FROM generations e JOIN collections c ON c.id = e.collection_id
                  WHERE e.id = g.generation_id AND c.paused_at IS NOT NULL)
  AND NOT EXISTS (SELECT FROM budgets b WHERE b.tenant_id = g.tenant_id AND b.is_spent)
ORDER BY g.queue_rank, g.generation_id

-- name: candidates
-- The next texts of each of these generations, as many as its share.
SELECT p.chunk_id, g.generation_id, p.tokens, p.deferrals, p.hash
FROM unnest(%(generation_ids)s::bigint[], %(after)s::bigint[], %(limits)s::int[]) AS g (generation_id, after, most)
CROSS JOIN LATERAL (
    SELECT chunk_id, tokens, deferrals, hash FROM pending w
    WHERE w.queue_rank = %(queue_rank)s AND w.generation_id = g.generation_id AND w.chunk_id > g.after
      AND w.claim_id IS NULL AND (w.not_before IS NULL OR w.not_before <= now())
    ORDER BY w.queue_rank, w.generation_id, w.chunk_id LIMIT g.most
) p

-- name: in_flight
-- Which of these are being asked for already. A question of its own: how many texts are claimed changes faster than the
-- planner's statistics, and as a part of `candidates` it compared each text with each that was claimed (20 s for 2,048
-- and 40,000).
SELECT hash FROM pending
WHERE hash = ANY(%(hashes)s) AND claim_id IS NOT NULL AND model = %(model)s AND dimensions = %(dimensions)s
