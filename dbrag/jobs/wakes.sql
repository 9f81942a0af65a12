-- name: may_wake
-- Decides who asks for a worker that embeds: nobody, while a wake-up waits that is not known to be lost.
UPDATE canaries SET wake_sent_at = now()
WHERE queue = %(queue)s AND (%(missed)s OR wake_sent_at IS NULL OR wake_taken_at >= wake_sent_at
                             OR wake_sent_at < now() - make_interval(secs => %(lost_s)s))

-- name: wake_taken
-- A worker follows it.
UPDATE canaries SET wake_taken_at = now() WHERE queue = %(queue)s
