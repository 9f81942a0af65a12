-- name: due_canaries
-- Decides which of several relays sends a queue its next canary. There is never a second one that nobody has taken,
-- unless the broker has lost the first: it was not seen, and its queue is empty, or it has taken very long.
UPDATE canaries SET sent_at = now()
WHERE sent_at IS NULL
   OR (sent_at < now() - make_interval(secs => %(every_s)s) AND (seen_at >= sent_at OR queue = ANY(%(empty)s)
       OR sent_at < now() - make_interval(secs => %(lost_s)s)))
RETURNING queue

-- name: canary_seen
-- A worker took it.
UPDATE canaries SET seen_at = now() WHERE queue = %(queue)s

-- name: unconsumed
-- Queues that nobody serves: a canary waits for a long time, no job was started meanwhile, and neither a job nor a text
-- is at work.
SELECT queue FROM canaries c
WHERE sent_at < now() - make_interval(secs => %(patience_s)s) AND (seen_at IS NULL OR seen_at < sent_at)
  AND NOT EXISTS (SELECT FROM jobs j WHERE j.queue = c.queue
                  AND j.started_at > now() - make_interval(secs => %(patience_s)s))
  AND NOT EXISTS (SELECT FROM jobs j WHERE j.queue = c.queue AND j.lease_until > now())
  AND NOT EXISTS (SELECT FROM pending p WHERE p.lease_until > now()
                  AND p.queue_rank = array_position(ARRAY['critical', 'default', 'low'], c.queue) - 1)
