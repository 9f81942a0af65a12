-- What a tenant may spend, in US dollars, in a day and in a month (UTC); NULL: as much as it wants.
ALTER TABLE tenants
    ADD COLUMN budget_day_usd   numeric(14, 6) CHECK (budget_day_usd >= 0),
    ADD COLUMN budget_month_usd numeric(14, 6) CHECK (budget_month_usd >= 0);

-- What was spent, by tenant and day (UTC): asked at every claim of texts, where summing up a busy month's usage would take
-- a quarter of a second. A trigger keeps it, so that workers of the release before count too. What cost nothing is left
-- out: it is recorded in transactions that write vectors, which must not wait for each other here.
CREATE TABLE spend (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    day        date NOT NULL,
    cost_usd   numeric(20, 10) NOT NULL,
    PRIMARY KEY (tenant_id, day)
) WITH (fillfactor = 50);

CREATE FUNCTION count_spend() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO spend AS s (tenant_id, day, cost_usd)
    SELECT tenant_id, (at AT TIME ZONE 'UTC')::date, sum(cost_usd) FROM inserted WHERE cost_usd > 0 GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (tenant_id, day) DO UPDATE SET cost_usd = s.cost_usd + excluded.cost_usd;
    RETURN NULL;
END $$;
-- Nobody inserts from here to the end of this migration, so that what is counted now and what the trigger counts is all.
CREATE TRIGGER usage_is_spent AFTER INSERT ON usage REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION count_spend();
INSERT INTO spend
SELECT tenant_id, (at AT TIME ZONE 'UTC')::date, sum(cost_usd) FROM usage WHERE cost_usd > 0 GROUP BY 1, 2;

-- How tenants with a budget stand. `is_spent`: no text of theirs is claimed before `resets_at`, or before the budget is
-- raised; `detail` says so to whoever waits, without the sum, which goes on growing by searches.
CREATE VIEW budgets WITH (security_invoker = true) AS
SELECT t.id AS tenant_id, t.budget_day_usd AS day_usd, t.budget_month_usd AS month_usd,
       s.day_usd AS spent_day_usd, s.month_usd AS spent_month_usd, b.day_is_spent OR b.month_is_spent AS is_spent,
       r.resets_at,
       format('The budget of $%s a %s is spent; it goes on at %s UTC, or when the operator raises it (dbrag tenants budget).',
              to_char(CASE WHEN b.month_is_spent THEN t.budget_month_usd ELSE t.budget_day_usd END, 'FM99999990.009999'),
              CASE WHEN b.month_is_spent THEN 'month' ELSE 'day' END,
              to_char(r.resets_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')) AS detail
FROM tenants t
CROSS JOIN LATERAL (SELECT (now() AT TIME ZONE 'UTC')::date AS today) d
CROSS JOIN LATERAL (
    SELECT coalesce(sum(cost_usd) FILTER (WHERE day = d.today), 0) AS day_usd, coalesce(sum(cost_usd), 0) AS month_usd
    FROM spend WHERE tenant_id = t.id AND day BETWEEN date_trunc('month', d.today::timestamp)::date AND d.today
) s
CROSS JOIN LATERAL (
    SELECT coalesce(s.day_usd >= t.budget_day_usd, false) AS day_is_spent,
           coalesce(s.month_usd >= t.budget_month_usd, false) AS month_is_spent
) b
CROSS JOIN LATERAL (
    SELECT (CASE WHEN b.month_is_spent OR t.budget_day_usd IS NULL
                 THEN date_trunc('month', d.today::timestamp) + interval '1 month'
                 ELSE d.today::timestamp + interval '1 day' END) AT TIME ZONE 'UTC' AS resets_at
) r
WHERE t.budget_day_usd IS NOT NULL OR t.budget_month_usd IS NOT NULL;
