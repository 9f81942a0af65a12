-- name: insert_tenant
-- Makes a tenant unless it stands.
INSERT INTO tenants (id, name) VALUES (%(id)s, %(name)s) ON CONFLICT (name) DO NOTHING

-- name: insert_key
-- A new key of the tenant with this name.
INSERT INTO api_keys (tenant_id, name, prefix, hash, scopes, expires_at)
SELECT id, %(key_name)s, %(prefix)s, %(hash)s, %(scopes)s, %(expires_at)s FROM tenants WHERE name = %(tenant_name)s

-- name: find_key
-- The key with this prefix, if it may be used now.
SELECT id AS key_id, tenant_id, hash, scopes FROM api_keys
WHERE prefix = %(prefix)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())

-- name: list_keys
-- All keys of a tenant, newest first.
SELECT k.prefix, k.name, k.scopes, k.created_at, k.expires_at, k.revoked_at
FROM api_keys k JOIN tenants t ON t.id = k.tenant_id WHERE t.name = %(tenant_name)s ORDER BY k.id DESC

-- name: revoke_key
-- A revoked key stays revoked, with its first time.
UPDATE api_keys SET revoked_at = now() WHERE prefix = %(prefix)s AND revoked_at IS NULL RETURNING prefix

-- name: list_tenants
-- All tenants by name, with what is not over of theirs.
SELECT t.name, t.weight, t.created_at, coalesce(j.jobs, 0) AS waiting_jobs, coalesce(j.bytes, 0) AS waiting_bytes
FROM tenants t LEFT JOIN (
    SELECT tenant_id, count(*) AS jobs, sum(bytes)::bigint AS bytes FROM jobs WHERE finished_at IS NULL GROUP BY tenant_id
) j ON j.tenant_id = t.id
ORDER BY t.name

-- name: set_weight
-- Counts from the next job, or text, that is chosen.
UPDATE tenants SET weight = %(weight)s WHERE name = %(name)s RETURNING id
