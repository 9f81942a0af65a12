-- name: put_connection
-- Registers a database, or changes what is known of it: (id, whether it is new).
INSERT INTO connections (tenant_id, name, dsn, masking, sample_rows, update_every_s)
VALUES (%(tenant_id)s, %(name)s, %(dsn)s, %(masking)s, %(sample_rows)s, %(update_every_s)s)
ON CONFLICT (tenant_id, name) WHERE deleted_at IS NULL DO UPDATE
SET dsn = excluded.dsn, masking = excluded.masking, sample_rows = excluded.sample_rows,
    update_every_s = excluded.update_every_s, updated_at = now()
RETURNING id, xmax = 0

-- name: select_connections
-- By name behind `after`; one name, or all.
SELECT id, tenant_id, name, dsn, masking, sample_rows, update_every_s, created_at, updated_at FROM connections
WHERE tenant_id = %(tenant_id)s AND deleted_at IS NULL
  AND (%(name)s::text IS NULL OR name = %(name)s) AND name > coalesce(%(after)s, '')
ORDER BY name LIMIT %(limit)s

-- name: select_connection
-- By id, for workers; None where it has been deleted.
SELECT id, tenant_id, name, dsn, masking, sample_rows, update_every_s, created_at, updated_at FROM connections
WHERE id = %(id)s AND deleted_at IS NULL

-- name: delete_connection
-- Hides it and what the catalog has of it, and forgets its DSN; dbrag/catalog/clearing.py removes the rows.
UPDATE connections SET deleted_at = now(), dsn = '' WHERE id = %(id)s AND deleted_at IS NULL

-- name: unfinished_updates
-- Jobs at work on a connection, or waiting for it.
SELECT id FROM jobs WHERE kind = 'update_metadata_catalog' AND params ->> 'connection_id' = %(id)s::text
  AND finished_at IS NULL AND status <> 'cancelling' ORDER BY id

-- name: encrypted_dsns
-- For whoever encrypts them anew, behind `after`.
SELECT id, dsn FROM connections WHERE deleted_at IS NULL AND id > %(after)s ORDER BY id LIMIT %(limit)s

-- name: replace_dsn
-- Unless it has been changed meanwhile.
UPDATE connections SET dsn = %(new)s WHERE id = %(id)s AND dsn = %(old)s

-- name: what_stands
-- Whether a job is still claimed by this claim, and whether a connection still is the one that was read.
SELECT EXISTS (SELECT FROM jobs WHERE id = %(job_id)s AND claim_id = %(claim_id)s AND status = 'running'),
       EXISTS (SELECT FROM connections WHERE id = %(id)s AND dsn = %(dsn)s AND deleted_at IS NULL)

-- name: due_connections
-- Those that are to be updated now: no update of the whole connection was accepted for so long, and none is under way.
SELECT c.id, c.tenant_id, c.name, c.dsn, c.masking, c.sample_rows, c.update_every_s, c.created_at, c.updated_at
FROM connections c
WHERE c.update_every_s IS NOT NULL AND c.deleted_at IS NULL AND NOT EXISTS (
    SELECT FROM jobs j WHERE j.kind = 'update_metadata_catalog' AND j.params ->> 'connection_id' = c.id::text
      AND (j.finished_at IS NULL
           OR NOT j.params ?| '{schema,table}' AND j.created_at > now() - make_interval(secs => c.update_every_s)))
ORDER BY c.id LIMIT %(limit)s FOR UPDATE OF c SKIP LOCKED

-- name: known_tables
-- What the catalog has of a connection, live, and with nothing newer on its way: (oid, fingerprint, row estimate, whether to ask the model again, override).
SELECT e.table_oid, e.fingerprint, (e.structure ->> 'row_estimate')::bigint,
       coalesce((e.fallback ->> 'passing')::boolean, false), e.override
FROM catalog_entries e JOIN document_versions v ON v.id = e.version_id AND v.status = 'live'
WHERE e.connection_id = %(connection_id)s
  AND NOT EXISTS (SELECT FROM document_versions w WHERE w.document_id = v.document_id AND w.status = 'waiting'
                  AND EXISTS (SELECT FROM catalog_entries n WHERE n.version_id = w.id))

-- name: overrides
-- What users say of its tables: (oid, schema, table, description).
SELECT table_oid, schema_name, table_name, description FROM catalog_overrides WHERE connection_id = %(connection_id)s

-- name: put_override
-- Replaces what was said of a table before.
INSERT INTO catalog_overrides (connection_id, table_oid, tenant_id, schema_name, table_name, description)
SELECT c.id, %(table_oid)s, c.tenant_id, %(schema)s, %(table)s, %(description)s
FROM connections c WHERE c.id = %(connection_id)s
ON CONFLICT (connection_id, table_oid) DO UPDATE SET description = excluded.description, set_at = now()

-- name: forget_namesakes
-- What was said of a table of this name when the connection led to another database.
DELETE FROM catalog_overrides WHERE connection_id = %(connection_id)s AND table_oid < 0
  AND (schema_name, table_name) = (%(schema)s, %(table)s)

-- name: delete_override
DELETE FROM catalog_overrides WHERE connection_id = %(connection_id)s AND table_oid = %(table_oid)s

-- name: forget_oids
-- The connection leads to another database: what was said of its tables goes by their names from now on.
WITH older AS (
    DELETE FROM catalog_overrides o USING catalog_overrides n
    WHERE o.connection_id = %(connection_id)s AND n.connection_id = o.connection_id AND o.table_oid = -n.table_oid
      AND n.table_oid > 0
)
UPDATE catalog_overrides SET table_oid = -table_oid WHERE connection_id = %(connection_id)s AND table_oid > 0

-- name: move_override
-- The table was made anew under its name, or renamed.
UPDATE catalog_overrides SET table_oid = %(table_oid)s, schema_name = %(schema)s, table_name = %(table)s
WHERE connection_id = %(connection_id)s AND table_oid = %(old_oid)s

-- name: delete_items
-- A job that has found out what it is to do: its tables in the place of the one item that it was accepted with.
DELETE FROM job_items WHERE job_id = %(job_id)s

-- name: insert_tables
-- Tables that are known as they are have been done already.
INSERT INTO job_items (job_id, tenant_id, index, external_id, status)
SELECT %(job_id)s, %(tenant_id)s, t.index, t.name, t.status
FROM unnest(%(indexes)s::int[], %(names)s::text[], %(statuses)s::text[]) AS t (index, name, status)

-- name: count_tables
-- Under the claim.
UPDATE jobs SET total = %(total)s, completed = %(unchanged)s, cached = %(unchanged)s, prepared = %(unchanged)s,
       params = params || '{"planned": true}', result = %(result)s
WHERE id = %(id)s

-- name: count_rows
-- Statistics of tables that are known otherwise as they are.
UPDATE catalog_entries e SET structure = jsonb_set(e.structure, '{row_estimate}', coalesce(to_jsonb(t.rows), 'null'))
FROM unnest(%(oids)s::bigint[], %(rows)s::bigint[]) AS t (oid, rows)
WHERE e.connection_id = %(connection_id)s AND e.table_oid = t.oid
  AND EXISTS (SELECT FROM document_versions v WHERE v.id = e.version_id AND v.status = 'live')

-- name: next_tables
-- Tables of a job that nobody has described yet, those that were tried least first: (version id, document id, index,
-- oid, tries).
SELECT v.id, v.document_id, i.index, split_part(d.external_id, '/', 2)::bigint, i.tries
FROM job_items i JOIN document_versions v ON v.job_id = i.job_id AND v.item_index = i.index
JOIN documents d ON d.id = v.document_id
WHERE i.job_id = %(job_id)s AND i.status = 'queued' AND v.status = 'waiting'
ORDER BY i.tries, i.index LIMIT %(limit)s

-- name: earlier_descriptions
-- Of these documents' live versions: (document id, fingerprint, description, who made it, fallback, samples).
SELECT v.document_id, e.fingerprint, e.description, e.described_by, e.fallback, e.samples
FROM document_versions v JOIN catalog_entries e ON e.version_id = v.id
WHERE v.document_id = ANY(%(document_ids)s) AND v.status = 'live'

-- name: insert_entry
-- A version that was described in an earlier attempt stays as it is.
INSERT INTO catalog_entries (version_id, tenant_id, connection_id, table_oid, schema_name, table_name, fingerprint,
                             structure, samples, description, described_by, fallback, override)
VALUES (%(version_id)s, %(tenant_id)s, %(connection_id)s, %(table_oid)s, %(schema)s, %(table)s, %(fingerprint)s,
        %(structure)s, %(samples)s, %(description)s, %(described_by)s, %(fallback)s, %(override)s)
ON CONFLICT (version_id) DO NOTHING

-- name: documents_of_connection
-- What the catalog has of a connection, live or not.
SELECT external_id FROM documents
WHERE collection_id = %(collection_id)s AND external_id LIKE %(connection_id)s::text || '/%%' ORDER BY external_id
LIMIT %(limit)s

-- name: next_deleted_connection
-- One whose jobs are all over; the row is locked against a second purge.
SELECT c.id, c.tenant_id FROM connections c
WHERE c.deleted_at IS NOT NULL AND NOT EXISTS (
    SELECT FROM jobs j WHERE j.kind = 'update_metadata_catalog' AND j.params ->> 'connection_id' = c.id::text
      AND j.finished_at IS NULL)
ORDER BY c.id LIMIT 1 FOR UPDATE OF c SKIP LOCKED

-- name: delete_connection_row
DELETE FROM connections WHERE id = %(id)s

-- name: select_entries
-- Described tables of one connection by name, behind `after`; of one schema, or of all.
SELECT e.version_id, c.name AS connection, e.connection_id, e.structure AS "table", e.samples, e.description,
       e.described_by, e.fallback, e.override, e.described_at
FROM catalog_entries e
JOIN document_versions v ON v.id = e.version_id AND v.status = 'live'
JOIN connections c ON c.id = e.connection_id AND c.deleted_at IS NULL
WHERE e.connection_id = %(connection_id)s
  AND (%(schema)s::text IS NULL OR e.schema_name = %(schema)s)
  AND (%(after)s::text IS NULL OR (e.schema_name || '.' || e.table_name) COLLATE "C" > %(after)s)
ORDER BY (e.schema_name || '.' || e.table_name) COLLATE "C" LIMIT %(limit)s

-- name: find_entry
-- The version that a table's entry hangs on.
SELECT e.version_id FROM catalog_entries e JOIN document_versions v ON v.id = e.version_id AND v.status = 'live'
WHERE e.connection_id = %(connection_id)s AND e.schema_name || '.' || e.table_name = %(full_name)s
ORDER BY e.version_id DESC LIMIT 1

-- name: entries_of_versions
-- The entries of these versions that are live, and whose connection is there.
SELECT e.version_id, c.name AS connection, e.connection_id, e.structure AS "table", e.samples, e.description,
       e.described_by, e.fallback, e.override, e.described_at
FROM catalog_entries e
JOIN document_versions v ON v.id = e.version_id AND v.status = 'live'
JOIN connections c ON c.id = e.connection_id AND c.deleted_at IS NULL
WHERE e.version_id = ANY(%(version_ids)s)

-- name: count_entries
-- Of connections that have any: (connection id, described tables).
SELECT e.connection_id, count(*)
FROM catalog_entries e JOIN document_versions v ON v.id = e.version_id AND v.status = 'live'
WHERE e.connection_id = ANY(%(connection_ids)s) GROUP BY e.connection_id
