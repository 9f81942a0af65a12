"""What is read of a registered database's structure."""

import time

import pytest
from psycopg.sql import SQL, Identifier

from dbrag.catalog.fingerprint import fingerprint
from dbrag.catalog.model import Column, ForeignKey, Index, Masking, Table, TableKind
from dbrag.catalog.source import Source, open_source
from dbrag.database.pool import Connection
from dbrag.settings import Settings
from tests.catalog_schemas import make_many

pytest_plugins = ["catalog_source"]

STRANGE = ['say "hi"', "100% %s %(x)s", "🦆 duck", "ö" * 31 + "x", "semi;--", "a.b", "{curly}", "back\\slash"]


def tables_in(source: Source, schema: str) -> dict[str, Table]:
    oids = [listed.oid for listed in source.listed() if listed.schema == schema]
    return {table.name: table for table in source.tables(oids)}


def test_a_table_is_told_with_all_its_parts(owner: Connection, source: Source, schema: str) -> None:
    owner.execute("""
        CREATE TYPE mood AS ENUM ('good', 'bad');
        CREATE TABLE customers (a int, b int, PRIMARY KEY (b, a));
        CREATE TABLE orders (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            gone text,
            code varchar(40) NOT NULL DEFAULT 'none' UNIQUE,
            twice int GENERATED ALWAYS AS (length('x') * 2) STORED,
            mood mood,
            customer_b int, customer_a int,
            UNIQUE (mood, code),
            CONSTRAINT buyer FOREIGN KEY (customer_b, customer_a) REFERENCES customers (b, a)
        );
        ALTER TABLE orders DROP COLUMN gone;
        COMMENT ON TABLE orders IS 'What was bought';
        COMMENT ON COLUMN orders.code IS 'On the bill';
        CREATE INDEX by_lower ON orders (lower(code), mood) INCLUDE (customer_a);
        CREATE UNIQUE INDEX only_good ON orders (code) WHERE mood = 'good';
        INSERT INTO orders (code) SELECT i FROM generate_series(1, 42) i;
        ANALYZE orders;
    """)
    orders = tables_in(source, schema)["orders"]
    oid = owner.execute("SELECT 'orders'::regclass::oid").fetchone()
    assert oid == (orders.oid,)
    assert (orders.full_name, orders.kind, orders.comment) == (f"{schema}.orders", TableKind.TABLE, "What was bought")
    assert orders.columns == [
        Column("id", "bigint", nullable=False, default="GENERATED ALWAYS AS IDENTITY"),
        Column("code", "character varying(40)", False, "'none'::character varying", "On the bill"),
        Column("twice", "integer", default="GENERATED ALWAYS AS ((length('x'::text) * 2))"),
        Column("mood", f"{schema}.mood"),
        Column("customer_b", "integer"),
        Column("customer_a", "integer"),
    ]
    assert orders.primary_key == ["id"]
    assert sorted(orders.unique_keys) == [["code"], ["mood", "code"]]
    assert orders.foreign_keys == [
        ForeignKey("buyer", ["customer_b", "customer_a"], schema, "customers", ["b", "a"]),
    ]
    assert Index("by_lower", ["lower(code::text)", "mood"], unique=False) in orders.indexes
    assert Index("only_good", ["code"], unique=False) in orders.indexes
    assert Index("orders_pkey", ["id"], unique=True) in orders.indexes
    assert (orders.row_estimate, orders.partitions, orders.definition) == (42, 0, None)


def test_every_kind_is_listed_and_partitions_are_part_of_their_table(
    owner: Connection, source: Source, schema: str
) -> None:
    owner.execute("""
        CREATE TABLE plain (id int);
        CREATE VIEW seen AS SELECT id AS number FROM plain;
        CREATE MATERIALIZED VIEW kept AS SELECT 1 AS one;
        CREATE TABLE parted (at date, region int) PARTITION BY RANGE (at);
        CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
        CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')
            PARTITION BY LIST (region);
        CREATE TABLE parted_2a PARTITION OF parted_2 FOR VALUES IN (1);
        CREATE TABLE parted_2b PARTITION OF parted_2 FOR VALUES IN (2);
        CREATE TABLE childless (at date) PARTITION BY RANGE (at);
        INSERT INTO parted SELECT '2026-01-02', 1 FROM generate_series(1, 10);
        INSERT INTO parted SELECT '2026-02-02', 2 FROM generate_series(1, 5);
        ANALYZE parted_1; ANALYZE parted_2b;
        CREATE TEMPORARY TABLE passing (id int);
        CREATE SEQUENCE counter;
    """)
    tables = tables_in(source, schema)
    assert {name: table.kind.value for name, table in tables.items()} == {
        "plain": "table",
        "seen": "view",
        "kept": "materialized_view",
        "parted": "partitioned_table",
        "childless": "partitioned_table",
    }
    assert (tables["parted"].partitions, tables["parted"].row_estimate) == (3, 15)
    assert (tables["childless"].partitions, tables["childless"].row_estimate) == (0, None)
    assert tables["plain"].row_estimate is None
    assert f"FROM {schema}.plain" in str(tables["seen"].definition)
    assert {listed.name for listed in source.listed()}.isdisjoint({"passing", "pg_class", "parted_2a"})


def test_schemas_that_the_role_may_not_use_are_not_listed(
    owner: Connection, source: Source, schema: str, role: Identifier
) -> None:
    owner.execute("CREATE TABLE secrets (id int)")
    assert "secrets" in tables_in(source, schema)
    owner.execute(SQL("REVOKE USAGE ON SCHEMA {} FROM {}").format(Identifier(schema), role))
    assert tables_in(source, schema) == {}


def test_a_table_that_is_gone_is_left_out(owner: Connection, source: Source, schema: str) -> None:
    owner.execute("CREATE TABLE one (id int); CREATE TABLE two (id int)")
    oids = [listed.oid for listed in source.listed() if listed.schema == schema]
    owner.execute("DROP TABLE one")
    assert [table.name for table in source.tables(oids)] == ["two"]


@pytest.mark.parametrize("name", STRANGE)
def test_any_name_is_told_and_read(owner: Connection, source: Source, schema: str, name: str) -> None:
    names = {"table": Identifier(name), "column": Identifier(f"{name[:20]}")}
    owner.execute(SQL("CREATE TABLE {table} ({column} text DEFAULT 'x', PRIMARY KEY ({column}))").format(**names))
    owner.execute(SQL("INSERT INTO {table} VALUES ('here')").format(**names))
    table = tables_in(source, schema)[name]
    assert table.primary_key == [name[:20]]
    assert source.sample(table, 3, Masking()) == [{name[:20]: "here"}]


def test_1600_columns_are_told_and_50_sampled(owner: Connection, source: Source, schema: str) -> None:
    columns = ", ".join(f"c{number} int DEFAULT {number}" for number in range(1600))
    owner.execute(f"CREATE TABLE wide ({columns}); INSERT INTO wide (c0) VALUES (NULL)".encode())
    wide = tables_in(source, schema)["wide"]
    assert [column.name for column in wide.columns] == [f"c{number}" for number in range(1600)]
    (row,) = source.sample(wide, 3, Masking())
    assert list(row.items())[:3] == [("c0", None), ("c1", "1"), ("c2", "2")]
    assert len(row) == 50


def test_500_tables_take_five_queries_and_well_under_a_second(
    owner: Connection, source: Source, schema: str, role: Identifier
) -> None:
    many = f"{schema}_many"
    make_many(owner, many, 500)
    owner.execute(SQL("GRANT USAGE ON SCHEMA {} TO {}").format(Identifier(many), role))
    try:
        start = time.process_time(), time.perf_counter()
        tables = tables_in(source, many)
        prints = {fingerprint(table) for table in tables.values()}
        spent_s, took_s = time.process_time() - start[0], time.perf_counter() - start[1]
        print(f"500 tables: {took_s:.3f} s, of it {spent_s:.3f} s in this process")
        assert len(tables) == len(prints) == 500
        assert tables["t_0499"].foreign_keys[0].target_table == "t_0498"
        assert took_s < 1
    finally:
        owner.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(many)))


def test_a_fingerprint_changes_with_the_table_and_only_then(owner: Connection, source: Source, schema: str) -> None:
    owner.execute("CREATE TABLE growing (id int, note text)")
    first = fingerprint(tables_in(source, schema)["growing"])
    owner.execute("INSERT INTO growing SELECT i FROM generate_series(1, 100) i; ANALYZE growing")
    assert tables_in(source, schema)["growing"].row_estimate == 100
    assert fingerprint(tables_in(source, schema)["growing"]) == first
    owner.execute("ALTER TABLE growing ALTER note SET DEFAULT 'x'")
    assert fingerprint(tables_in(source, schema)["growing"]) != first


def test_what_the_role_says_of_search_path_changes_no_type(
    owner: Connection, reader_dsn: str, source: Source, source_settings: Settings, schema: str, role: Identifier
) -> None:
    owner.execute("CREATE DOMAIN shade AS text; CREATE TABLE painted (shade shade)")
    before = tables_in(source, schema)["painted"]
    names = {"role": role, "schema": Identifier(schema)}
    owner.execute(SQL("ALTER ROLE {role} SET search_path = {schema}").format(**names))
    try:
        with open_source(reader_dsn, source_settings) as other:
            assert tables_in(other, schema)["painted"] == before
    finally:
        owner.execute(SQL("ALTER ROLE {role} RESET search_path").format(**names))


def test_no_snapshot_is_held_between_two_calls(owner: Connection, source: Source) -> None:
    source.listed()
    sessions = owner.execute(
        "SELECT state, backend_xmin FROM pg_stat_activity WHERE application_name = 'dbrag-catalog'"
    ).fetchall()
    assert sessions == [("idle", None)]


def test_what_an_extension_owns_is_not_listed(owner: Connection, source: Source, schema: str) -> None:
    # No extension of the wheel has tables of its own, so one is given to the one that is there.
    owner.execute("CREATE TABLE of_extension (id int); ALTER EXTENSION plpgsql ADD TABLE of_extension")
    try:
        assert "of_extension" not in tables_in(source, schema)
    finally:
        owner.execute("ALTER EXTENSION plpgsql DROP TABLE of_extension")
    assert "of_extension" in tables_in(source, schema)
