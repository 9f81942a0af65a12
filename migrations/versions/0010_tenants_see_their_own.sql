-- The API does what it does for a tenant as the role `dbrag_tenant` (dbrag/database/tenant.py), which sees and writes the
-- rows of that tenant alone, whatever a query says, and none where no tenant is set. Workers, the relay and the release
-- before work as the owner of the tables, whom no policy binds.

-- Roles belong to the cluster: another database's migration, or an administrator, may have made this one, or be at it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dbrag_tenant') THEN
        BEGIN
            CREATE ROLE dbrag_tenant NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'dbrag_tenant' AND (rolsuper OR rolbypassrls)) THEN
        RAISE EXCEPTION 'the role dbrag_tenant must be bound by row-level security'
            USING HINT = 'ALTER ROLE dbrag_tenant NOSUPERUSER NOBYPASSRLS';
    END IF;
    -- Of a superuser this is true as it is.
    IF NOT pg_has_role(current_user, 'dbrag_tenant', CASE WHEN current_setting('server_version_num')::int < 160000
                                                          THEN 'MEMBER' ELSE 'SET' END) THEN
        EXECUTE format('GRANT dbrag_tenant TO %I', current_user);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE insufficient_privilege USING
        MESSAGE = format('%I may not make the role dbrag_tenant, or become it', current_user),
        HINT = format('let a superuser run first: CREATE ROLE dbrag_tenant NOLOGIN (unless it stands); '
                      'GRANT dbrag_tenant TO %I', current_user);
END $$;

DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO dbrag_tenant', current_schema());
    -- The tables of vectors, which workers make: no row of them says whose it is, and they are reached by way of chunks.
    -- Documents that are deleted take their vectors along.
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, DELETE ON TABLES TO dbrag_tenant',
                   current_schema());
END $$;

-- For every table with a tenant_id, now and in later migrations. The tenant is looked up once a statement, not once a row.
CREATE FUNCTION guard_tenant_table(guarded regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', guarded);
    EXECUTE format('CREATE POLICY own_rows ON %s TO dbrag_tenant USING '
                   '(tenant_id = (SELECT nullif(current_setting(''dbrag.tenant_id'', true), '''')::uuid))', guarded);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO dbrag_tenant', guarded);
END $$;

DO $$
DECLARE
    found regclass;
BEGIN
    FOR found IN
        SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND NOT a.attisdropped ORDER BY c.oid
    LOOP
        PERFORM guard_tenant_table(found);
    END LOOP;
    FOR found IN
        SELECT oid FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND relname ~ '^generation_\d+(_|$)'
    LOOP
        EXECUTE format('GRANT SELECT, DELETE ON %s TO dbrag_tenant', found);
    END LOOP;
END $$;

-- Keys are looked at by the owner, before it is known whose they are.
REVOKE ALL ON api_keys FROM dbrag_tenant;
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_row ON tenants TO dbrag_tenant
    USING (id = (SELECT nullif(current_setting('dbrag.tenant_id', true), '')::uuid));
-- A view that looks at its tables as whoever asks.
GRANT SELECT ON tenants, budgets TO dbrag_tenant;
