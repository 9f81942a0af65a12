-- name: become_tenant
-- Until the transaction ends: bound by row-level security to the rows of one tenant (migration 0010).
SELECT set_config('role', 'dbrag_tenant', true), set_config('dbrag.tenant_id', %(tenant_id)s::text, true)

-- name: become_owner
-- Whoever the connection was opened for, whom no policy binds; before, who it was.
SELECT current_setting('role'), set_config('role', 'none', true)

-- name: become
-- What it was before.
SELECT set_config('role', %(role)s, true)
