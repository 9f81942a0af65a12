-- name: listed
-- Whatever rows can be read from, in schemas that the role may use: not PostgreSQL's own, not partitions (they are part
-- of their table), nothing that an extension brought along.
SELECT c.oid::bigint, n.nspname::text, c.relname::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_%%'
  AND has_schema_privilege(n.oid, 'USAGE')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname

-- name: tables
-- Their names, kinds, comments, estimates (of a partitioned table, the sum over its partitions) and views' queries.
SELECT c.oid::bigint, n.nspname::text AS schema, c.relname::text AS name,
       CASE c.relkind WHEN 'p' THEN 'partitioned_table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized_view'
                      WHEN 'f' THEN 'foreign_table' ELSE 'table' END AS kind,
       obj_description(c.oid, 'pg_class') AS comment,
       CASE WHEN c.relkind IN ('v', 'm') THEN left(pg_get_viewdef(c.oid), 20000) END AS definition,
       coalesce(p.partitions, 0) AS partitions,
       CASE WHEN c.relkind = 'v' THEN NULL WHEN c.relkind = 'p' THEN p.rows
            WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint END AS row_estimate
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
    SELECT count(*)::int AS partitions, sum(k.reltuples) FILTER (WHERE k.reltuples >= 0)::bigint AS rows
    FROM pg_partition_tree(c.oid) t JOIN pg_class k ON k.oid = t.relid WHERE t.isleaf
) p ON c.relkind = 'p'
WHERE c.oid = ANY(%(oids)s::oid[])
ORDER BY n.nspname, c.relname

-- name: columns
-- In their order.
SELECT a.attrelid::bigint, a.attname::text, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
       left(pg_get_expr(d.adbin, d.adrelid), 500), col_description(a.attrelid, a.attnum)
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY(%(oids)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum

-- name: keys
-- Primary, unique and foreign keys, with the names of their columns in the keys' order.
SELECT k.conrelid::bigint, k.contype::text, k.conname::text, x.columns, n.nspname::text, t.relname::text, y.columns
FROM pg_constraint k
LEFT JOIN pg_class t ON t.oid = k.confrelid LEFT JOIN pg_namespace n ON n.oid = t.relnamespace
CROSS JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY u.place) AS columns
    FROM unnest(k.conkey) WITH ORDINALITY u (number, place)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number) x
CROSS JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY u.place) AS columns
    FROM unnest(k.confkey) WITH ORDINALITY u (number, place)
    JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number) y
WHERE k.conrelid = ANY(%(oids)s::oid[]) AND k.contype IN ('p', 'u', 'f') AND k.conparentid = 0
ORDER BY k.conrelid, k.conname

-- name: indexes
-- With their columns, or expressions as PostgreSQL writes them.
SELECT i.indrelid::bigint, c.relname::text, i.indisunique,
       ARRAY(SELECT pg_get_indexdef(i.indexrelid, place, true) FROM generate_series(1, i.indnkeyatts) AS place)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY(%(oids)s::oid[]) AND i.indisvalid
ORDER BY i.indrelid, c.relname
