-- name: jobs_standing
-- Jobs that are not over.
SELECT kind, queue, status, count(*) AS jobs FROM jobs WHERE finished_at IS NULL GROUP BY kind, queue, status

-- name: queues_standing
-- By queue: what waits to be claimed, in all and of that in the broker; what was accepted and is not published yet; texts
-- without a vector. Ages in seconds, NULL where nothing waits.
SELECT q.name AS queue, coalesce(j.waiting, 0) AS waiting, coalesce(j.published, 0) AS published,
       coalesce(j.unpublished, 0) AS unpublished, coalesce(p.texts, 0) AS texts,
       coalesce(extract(epoch FROM now() - j.oldest_waiting), 0)::float8 AS waiting_s,
       coalesce(extract(epoch FROM now() - j.oldest_published), 0)::float8 AS published_s,
       coalesce(extract(epoch FROM now() - j.oldest_unpublished), 0)::float8 AS unpublished_s
FROM unnest(%(queues)s::text[]) WITH ORDINALITY AS q (name, rank)
LEFT JOIN (
    SELECT queue, count(*) AS waiting, min(created_at) AS oldest_waiting,
           count(*) FILTER (WHERE publish_at IS NULL) AS published,
           min(published_at) FILTER (WHERE publish_at IS NULL) AS oldest_published,
           count(*) FILTER (WHERE published_at IS NULL AND status = 'queued') AS unpublished,
           min(created_at) FILTER (WHERE published_at IS NULL AND status = 'queued') AS oldest_unpublished
    FROM jobs WHERE status IN ('queued', 'retrying') OR (status = 'held' AND reason_code = 'no_consumer')
    GROUP BY queue
) j ON j.queue = q.name
LEFT JOIN (SELECT queue_rank, count(*) AS texts FROM pending GROUP BY queue_rank) p ON p.queue_rank = q.rank - 1

-- name: segments_standing
-- By status: how many, and seconds since the oldest was sealed.
SELECT s.name AS status, count(g.id) AS segments,
       coalesce(max(extract(epoch FROM now() - g.sealed_at)), 0)::float8 AS oldest_s
FROM unnest(%(statuses)s::text[]) AS s (name) LEFT JOIN segments g ON g.status = s.name GROUP BY s.name

-- name: budgets_standing
-- Tenants with a budget; of these, whose is spent, and who has spent more than nine tenths of a day's or a month's.
SELECT count(*) AS tenants, count(*) FILTER (WHERE is_spent) AS spent,
       count(*) FILTER (WHERE spent_day_usd > 0.9 * day_usd OR spent_month_usd > 0.9 * month_usd) AS nearly_spent
FROM budgets

-- name: pauses_standing
-- Models that are left alone, by reason.
SELECT reason_code AS code, count(*) AS models FROM pauses WHERE paused_until > now() OR failures >= %(opens_after)s
GROUP BY reason_code
