-- name: positions
-- Where jobs stand in their queues' lines. What the broker has is served in the order of its publication; behind it comes
-- what waits for its publication, in the order in which `due` (relay.sql) would take it now: tenants take turns, the k-th
-- next job of a tenant stands at (in the broker + k) / weight. What is put off to a time that has not come stands in no
-- line. The line is looked at only as far as the last job that was asked for, and `depth` jobs of a tenant at most: what
-- stands behind them has no row.
WITH RECURSIVE asked AS MATERIALIZED (
    SELECT id, queue, tenant_id, publish_at FROM jobs
    WHERE id = ANY(%(ids)s) AND (reason_until IS NULL OR reason_until <= now())
      AND (status IN ('queued', 'retrying') OR (status = 'held' AND reason_code = 'no_consumer'))
), published AS MATERIALIZED (
    SELECT id, queue, tenant_id, published_at FROM jobs
    WHERE publish_at IS NULL AND (status IN ('queued', 'retrying') OR (status = 'held' AND reason_code = 'no_consumer'))
      AND queue IN (SELECT queue FROM asked)
), in_broker AS MATERIALIZED (
    SELECT queue, tenant_id, count(*) AS jobs FROM published GROUP BY queue, tenant_id
), reach AS MATERIALIZED (
    SELECT last.queue, max((coalesce(b.jobs, 0) + own.place)::float8 / t.weight) AS turn
    FROM (SELECT DISTINCT ON (queue, tenant_id) queue, tenant_id, publish_at, id FROM asked WHERE publish_at IS NOT NULL
          ORDER BY queue, tenant_id, publish_at DESC, id DESC) last
    JOIN tenants t ON t.id = last.tenant_id
    LEFT JOIN in_broker b ON b.queue = last.queue AND b.tenant_id = last.tenant_id, LATERAL (
        SELECT count(*) AS place FROM (
            SELECT FROM jobs j WHERE j.publish_at IS NOT NULL AND j.queue = last.queue AND j.tenant_id = last.tenant_id
              AND (j.publish_at, j.id) <= (last.publish_at, last.id) LIMIT %(depth)s) ahead
    ) own
    GROUP BY last.queue
), waiting AS (
    SELECT r.queue, r.turn, (SELECT j.tenant_id FROM jobs j WHERE j.publish_at IS NOT NULL AND j.queue = r.queue
                             ORDER BY j.tenant_id LIMIT 1) AS tenant_id
    FROM reach r
    UNION ALL
    SELECT w.queue, w.turn, (SELECT j.tenant_id FROM jobs j WHERE j.publish_at IS NOT NULL AND j.queue = w.queue
                             AND j.tenant_id > w.tenant_id ORDER BY j.tenant_id LIMIT 1)
    FROM waiting w WHERE w.tenant_id IS NOT NULL
), line AS (
    SELECT id, queue, 0::float8 AS turn, published_at AS since FROM published
    UNION ALL
    SELECT n.id, w.queue, (coalesce(b.jobs, 0) + n.place)::float8 / t.weight, n.publish_at
    FROM waiting w JOIN tenants t ON t.id = w.tenant_id
    LEFT JOIN in_broker b ON b.queue = w.queue AND b.tenant_id = w.tenant_id, LATERAL (
        SELECT next.id, next.publish_at, row_number() OVER (ORDER BY next.publish_at, next.id) AS place FROM (
            SELECT j.id, j.publish_at FROM jobs j
            WHERE j.publish_at IS NOT NULL AND j.queue = w.queue AND j.tenant_id = w.tenant_id
              AND (j.reason_until IS NULL OR j.reason_until <= now())
            ORDER BY j.publish_at, j.id
            LIMIT least(%(depth)s, greatest(0, floor(w.turn * t.weight)::bigint + 1 - coalesce(b.jobs, 0)))) next
    ) n
), placed AS (
    SELECT id, row_number() OVER (PARTITION BY queue ORDER BY turn, since, id) AS position FROM line
)
SELECT id, position FROM placed WHERE id = ANY(%(ids)s)
