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
