-- name: telling_columns
-- Columns of these tables whose name (as its words) or comment has a word of the question: (version id, place).
SELECT t.version_id, t.place
FROM unnest(%(version_ids)s::bigint[], %(places)s::int[], %(texts)s::text[]) AS t (version_id, place, text),
     (SELECT string_agg('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''', ' | ')::tsquery AS words
      FROM unnest(tsvector_to_array(to_tsvector(%(language)s::regconfig, %(query)s))) AS l (lexeme)) q
WHERE to_tsvector(%(language)s::regconfig, t.text) @@ q.words
ORDER BY t.version_id, t.place

-- name: connections_of_tenant
-- With those that are deleted, and not yet removed: (id, whether it lives).
SELECT id, deleted_at IS NULL FROM connections WHERE tenant_id = %(tenant_id)s ORDER BY id

-- name: versions_of_chunks
-- The version, and so the entry, that each of these chunks is the text of.
SELECT id, version_id FROM chunks WHERE id = ANY(%(chunk_ids)s)

-- name: references
-- Which tables of these connections refer to which: (connection id, schema, table, foreign keys).
SELECT e.connection_id, e.schema_name, e.table_name, e.structure -> 'foreign_keys'
FROM catalog_entries e JOIN document_versions v ON v.id = e.version_id AND v.status = 'live'
WHERE e.connection_id = ANY(%(connection_ids)s) AND e.structure -> 'foreign_keys' <> '[]'
ORDER BY e.connection_id, e.schema_name, e.table_name LIMIT %(limit)s
