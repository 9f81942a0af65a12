-- name: events_behind
-- What has happened to each of these jobs since that event of its history, a page of each.
SELECT w.after, e.id, e.job_id, e.status, e.attempt, e.at, e.reason_code, e.reason_detail, e.reason_until
FROM unnest(%(job_ids)s::uuid[], %(afters)s::bigint[]) AS w (job_id, after), LATERAL (
    SELECT * FROM job_events WHERE job_id = w.job_id AND id > w.after ORDER BY id LIMIT %(limit)s
) e
ORDER BY e.id
