-- Databases whose tables the catalog describes. `dsn` is encrypted (dbrag/catalog/secrets.py).
CREATE TABLE connections (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       uuid NOT NULL REFERENCES tenants,
    name            text NOT NULL,
    dsn             bytea NOT NULL,
    masking         jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(masking) = 'object'),
    sample_rows     integer NOT NULL CHECK (sample_rows >= 0),
    update_every_s  integer CHECK (update_every_s > 0),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    deleted_at      timestamptz
);
CREATE UNIQUE INDEX connections_name ON connections (tenant_id, name) WHERE deleted_at IS NULL;
CREATE INDEX connections_to_update ON connections (id) WHERE update_every_s IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX connections_deleted ON connections (id) WHERE deleted_at IS NOT NULL;

-- A described table is a document of its tenant's catalog collection, and this is what is known of it beside its text:
-- it goes live, and goes, with its version. Its external_id is `<connection's id>/<the table's oid>`, so that a table
-- that is renamed stays the same document.
CREATE TABLE catalog_entries (
    version_id     bigint PRIMARY KEY REFERENCES document_versions ON DELETE CASCADE,
    tenant_id      uuid NOT NULL,
    connection_id  bigint NOT NULL,
    table_oid      bigint NOT NULL,
    schema_name    text NOT NULL,
    table_name     text NOT NULL,
    fingerprint    bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    structure      jsonb NOT NULL,
    samples        jsonb NOT NULL DEFAULT '[]',
    description    jsonb NOT NULL,
    described_by   text NOT NULL CHECK (described_by IN ('model', 'composed')),
    fallback       jsonb,
    override       jsonb,
    described_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX catalog_entries_of_a_connection ON catalog_entries (connection_id, schema_name, table_name);

-- What a user says of a table; it outlives updates, and follows a table that is renamed, or made anew under its name.
CREATE TABLE catalog_overrides (
    connection_id  bigint NOT NULL REFERENCES connections ON DELETE CASCADE,
    table_oid      bigint NOT NULL,
    tenant_id      uuid NOT NULL,
    schema_name    text NOT NULL,
    table_name     text NOT NULL,
    description    jsonb NOT NULL CHECK (jsonb_typeof(description) = 'object'),
    set_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (connection_id, table_oid)
);

CREATE INDEX jobs_of_a_connection ON jobs ((params ->> 'connection_id'), id)
    WHERE kind = 'update_metadata_catalog';

-- What a chat model wrote is paid, too.
ALTER TABLE usage ADD COLUMN completion_tokens bigint NOT NULL DEFAULT 0;
