-- name: insert_tenant
-- Makes a tenant unless it stands; no row where it does.
INSERT INTO tenants (id, name) VALUES (%(id)s, %(name)s) ON CONFLICT (name) DO NOTHING RETURNING id

-- name: find_tenant
-- The tenant with this name.
SELECT id FROM tenants WHERE name = %(name)s

-- name: insert_key
-- A new key of the tenant with this name.
INSERT INTO api_keys (tenant_id, name, prefix, hash, scopes, expires_at)
SELECT id, %(key_name)s, %(prefix)s, %(hash)s, %(scopes)s, %(expires_at)s FROM tenants WHERE name = %(tenant_name)s

-- name: find_key
-- The key with this prefix, if it may be used now, and whether its last use is worth noting again.
SELECT
    id AS key_id, tenant_id, hash, scopes,
    last_used_at IS NULL OR last_used_at < now() - %(note_every)s::interval AS stale
FROM api_keys
WHERE prefix = %(prefix)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())

-- name: note_use
-- One of the requests that find the last use stale notes it; the others wait for nothing.
UPDATE api_keys SET last_used_at = now() WHERE id = (
    SELECT id FROM api_keys
    WHERE id = %(key_id)s AND (last_used_at IS NULL OR last_used_at < now() - %(note_every)s::interval)
    FOR NO KEY UPDATE SKIP LOCKED
)

-- name: list_keys
-- All keys of a tenant, newest first.
SELECT
    k.prefix, k.name, k.scopes, k.created_at, k.last_used_at, k.expires_at, k.revoked_at,
    successor.prefix AS replaced_by
FROM api_keys k
JOIN tenants t ON t.id = k.tenant_id
LEFT JOIN api_keys successor ON successor.id = k.replaced_by
WHERE t.name = %(tenant_name)s ORDER BY k.id DESC

-- name: rotate_key
-- A new key that is the old one to its users; the old one ends after the grace period, or sooner if it would anyway.
-- A key that ends gets a successor that lives as long as it was to live itself.
WITH old AS (
    SELECT * FROM api_keys
    WHERE prefix = %(old_prefix)s AND replaced_by IS NULL AND revoked_at IS NULL
      AND (expires_at IS NULL OR expires_at > now())
    FOR NO KEY UPDATE
), successor AS (
    INSERT INTO api_keys (tenant_id, name, prefix, hash, scopes, expires_at)
    SELECT tenant_id, name, %(prefix)s, %(hash)s, scopes, now() + (expires_at - created_at) FROM old
    RETURNING id, expires_at
)
UPDATE api_keys k SET replaced_by = s.id, expires_at = least(k.expires_at, now() + %(grace)s::interval)
FROM old, successor s WHERE k.id = old.id
RETURNING k.expires_at AS old_expires_at, s.expires_at

-- name: revoke_key
-- A revoked key stays revoked, with its first time.
UPDATE api_keys SET revoked_at = now() WHERE prefix = %(prefix)s AND revoked_at IS NULL RETURNING prefix

-- name: list_tenants
-- All tenants by name, with what is not over of theirs, and what they may spend and have spent.
SELECT t.name, t.weight, t.created_at, coalesce(j.jobs, 0) AS waiting_jobs, coalesce(j.bytes, 0) AS waiting_bytes,
       b.day_usd, b.month_usd, b.spent_day_usd, b.spent_month_usd
FROM tenants t LEFT JOIN budgets b ON b.tenant_id = t.id LEFT JOIN (
    SELECT tenant_id, count(*) AS jobs, sum(bytes)::bigint AS bytes FROM jobs WHERE finished_at IS NULL GROUP BY tenant_id
) j ON j.tenant_id = t.id
ORDER BY t.name

-- name: set_weight
-- Counts from the next job, or text, that is chosen.
UPDATE tenants SET weight = %(weight)s WHERE name = %(name)s RETURNING id

-- name: set_budget
-- Counts from the next text that is claimed. What is not given stays.
UPDATE tenants SET budget_day_usd = CASE WHEN %(gives_day)s THEN %(day_usd)s ELSE budget_day_usd END,
       budget_month_usd = CASE WHEN %(gives_month)s THEN %(month_usd)s ELSE budget_month_usd END
WHERE name = %(name)s RETURNING budget_day_usd, budget_month_usd

-- name: find_budget
-- How a tenant stands that has a budget.
SELECT day_usd, month_usd, spent_day_usd, spent_month_usd, is_spent, resets_at, detail FROM budgets
WHERE tenant_id = %(tenant_id)s
