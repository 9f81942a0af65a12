"""What is read of a registered database's rows, and what happens where they cannot be read."""

import os
import secrets
import signal
import threading
import time
from collections.abc import Callable

import psutil
import pytest
from psycopg.sql import SQL, Identifier

from dbrag.catalog.model import Column, Masking, Row, Table, TableKind
from dbrag.catalog.source import Source, open_source
from dbrag.database.pool import Connection
from dbrag.errors import DbragError, Permanent, Transient
from dbrag.settings import Settings

pytest_plugins = ["catalog_source"]

Look = Callable[..., list[Row]]


@pytest.fixture
def look(source: Source, schema: str) -> Look:
    """Samples a table of the schema by its name."""

    def sample(name: str, rows: int = 3, masking: Masking | None = None) -> list[Row]:
        oids = [listed.oid for listed in source.listed() if (listed.schema, listed.name) == (schema, name)]
        (table,) = source.tables(oids)
        return source.sample(table, rows, masking or Masking())

    return sample


def test_values_of_every_type_are_shown_as_text_and_cut(owner: Connection, look: Look) -> None:
    owner.execute("""
        CREATE TABLE things (id int, at date, tags text[], place jsonb, long text, raw bytea, nothing text);
        INSERT INTO things VALUES (1, '2026-11-28', '{a,b}', '{"x": 1}', repeat('ab ', 100), '\\xdeadbeef', NULL);
    """)
    assert look("things") == [
        {
            "id": "1",
            "at": "2026-11-28",
            "tags": "{a,b}",
            "place": '{"x": 1}',
            "long": ("ab " * 33) + "…",
            "raw": "<4 bytes>",
            "nothing": None,
        }
    ]


def test_so_many_rows_as_wanted_and_none_for_zero(owner: Connection, look: Look) -> None:
    owner.execute("CREATE TABLE numbers AS SELECT i FROM generate_series(1, 9) i; CREATE TABLE bare ()")
    assert (len(look("numbers", 2)), len(look("numbers", 0)), look("bare")) == (2, 0, [])


def test_rows_zero_asks_the_server_nothing(owner: Connection, look: Look) -> None:
    owner.execute("CREATE VIEW broken AS SELECT 1 / 0 AS n")
    assert look("broken", 0) == []


def test_large_values_stay_in_the_database(owner: Connection, look: Look) -> None:
    owner.execute("CREATE TABLE large (id int, body text, file bytea)")
    owner.execute("ALTER TABLE large ALTER body SET STORAGE EXTERNAL, ALTER file SET STORAGE EXTERNAL")
    size = "10 * 1024 * 1024"
    owner.execute(
        f"INSERT INTO large SELECT i, repeat('x', {size}), convert_to(repeat('x', {size}), 'UTF8')"
        " FROM generate_series(1, 3) i".encode()
    )
    before = psutil.Process().memory_info().rss
    rows = look("large")
    assert rows[0] == {"id": "1", "body": "<10 MB>", "file": "<10 MB>"}
    assert psutil.Process().memory_info().rss - before < 10 * 2**20


def test_a_computed_value_of_10_mb_does_not_leave_the_database(owner: Connection, look: Look) -> None:
    owner.execute("CREATE VIEW computed AS SELECT repeat('x', 10 * 1024 * 1024) AS body")
    before = psutil.Process().memory_info().rss
    assert look("computed") == [{"body": "<10 MB>"}]
    assert psutil.Process().memory_info().rss - before < 5 * 2**20


def test_secrets_are_masked_by_name_by_shape_and_by_policy(owner: Connection, look: Look) -> None:
    token = secrets.token_urlsafe(40)
    owner.execute("CREATE TABLE people (password text, note text, internal text, nick text, email text)")
    owner.execute("INSERT INTO people VALUES ('a', %s, 'b', 'c', NULL)", [f"ask bob@example.com for {token}"])
    policy = Masking(columns=["^inter"], shown=["nick"])
    assert look("people", 1, policy) == [
        {"password": "<masked>", "note": "ask <email> for <token>", "internal": "<masked>", "nick": "c", "email": None}
    ]


def test_a_secret_that_is_cut_off_is_still_known(owner: Connection, look: Look) -> None:
    owner.execute("CREATE TABLE notes (note text)")
    note = "x " * 45 + "card 4111 1111 1111 1111, and more"
    owner.execute("INSERT INTO notes VALUES (%s)", [note])
    (row,) = look("notes", 1)
    assert "4111" not in str(row["note"])
    assert str(row["note"]).endswith("card <car…")


FAILING = {
    "divides": ("CREATE VIEW divides AS SELECT 1 / (random() * 0)::int AS n", "unreadable", "DivisionByZero"),
    "sleeps": ("CREATE VIEW sleeps AS SELECT pg_sleep(9)::text AS n", "sample_timeout", "DBRAG_SOURCE_TIMEOUT_S"),
    "writes": (
        """CREATE TABLE written (n int);
        CREATE FUNCTION write() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN INSERT INTO {schema}.written VALUES (1); RETURN 1; END $$;
        CREATE VIEW writes AS SELECT write() AS n""",
        "unreadable",
        "ReadOnlySqlTransaction",
    ),
    "unlocks": (
        """CREATE FUNCTION unlock() RETURNS int LANGUAGE plpgsql AS $$
            BEGIN SET TRANSACTION READ WRITE; RETURN 1; END $$;
        CREATE VIEW unlocks AS SELECT unlock() AS n""",
        "unreadable",
        "ActiveSqlTransaction",
    ),
    "inner_gone": (
        """CREATE FUNCTION look_up() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT 1 FROM nowhere); END';
        CREATE VIEW inner_gone AS SELECT look_up() AS n""",
        "unreadable",
        "UndefinedTable",
    ),
    "forbidden": ("CREATE TABLE forbidden (n int)", "permission_denied", "GRANT SELECT"),
}


@pytest.mark.parametrize("name", FAILING)
def test_what_cannot_be_read_says_why_and_the_rest_goes_on(
    owner: Connection, look: Look, schema: str, role: Identifier, name: str
) -> None:
    making, code, words = FAILING[name]
    owner.execute(making.replace("{schema}", schema).encode())
    owner.execute("CREATE TABLE fine AS SELECT 1 AS n")
    if name == "forbidden":
        owner.execute(SQL("REVOKE SELECT ON forbidden FROM {}").format(role))
    with pytest.raises(Permanent, match=words) as caught:
        look(name)
    assert (caught.value.code, caught.value.retryable) == (code, False)
    assert caught.value.__cause__ is caught.value.__context__ is None  # the server's message is not to be had
    assert look("fine") == [{"n": "1"}]
    if name == "writes":
        assert owner.execute("SELECT count(*) FROM written").fetchone() == (0,)


def test_a_view_cannot_lift_read_only_for_the_next_statement(owner: Connection, look: Look, schema: str) -> None:
    owner.execute("CREATE VIEW lifts AS SELECT set_config('default_transaction_read_only', 'off', false) AS n")
    assert look("lifts") == [{"n": "off"}]
    owner.execute(FAILING["writes"][0].replace("{schema}", schema).encode())
    with pytest.raises(Permanent, match="ReadOnlySqlTransaction"):
        look("writes")


def test_a_table_that_was_dropped_or_changed_meanwhile_is_gone(owner: Connection, source: Source, schema: str) -> None:
    owner.execute("CREATE TABLE here (n int)")
    for columns, name in (([Column("n", "integer")], "nowhere"), ([Column("other", "integer")], "here")):
        with pytest.raises(Permanent, match="is gone") as caught:
            source.sample(Table(1, schema, name, TableKind.TABLE, columns=columns), 1, Masking())
        assert caught.value.code == "table_gone"


def test_a_locked_table_is_not_waited_for(owner: Connection, look: Look, source: Source, schema: str) -> None:
    owner.execute("CREATE TABLE locked (n int)")
    with owner.transaction():
        owner.execute("LOCK TABLE locked")
        start = time.perf_counter()
        with pytest.raises(Permanent, match="locked") as caught:
            look("locked")
        assert caught.value.code == "sample_timeout"
        assert time.perf_counter() - start < 1.5


def sessions(owner: Connection) -> list[int]:
    rows = owner.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'dbrag-catalog'").fetchall()
    return [row[0] for row in rows]


def test_a_session_that_is_ended_midway_is_a_passing_failure(
    owner: Connection, source: Source, schema: str, source_settings: Settings, reader_dsn: str
) -> None:
    owner.execute("CREATE TABLE here AS SELECT 1 AS n; CREATE VIEW slow AS SELECT pg_sleep(0.8)::text AS n")
    table = Table(1, schema, "slow", TableKind.VIEW, columns=[Column("n", "text")])
    (pid,) = sessions(owner)
    timer = threading.Timer(0.3, lambda: owner.execute("SELECT pg_terminate_backend(%s)", [pid]))
    timer.start()
    with pytest.raises(Transient) as caught:
        source.sample(table, 1, Masking())
    timer.join()
    assert caught.value.code == "source_gone"
    for again in (source.listed, lambda: source.tables([1])):
        with pytest.raises(Transient, match="lost midway"):
            again()
    with open_source(reader_dsn, source_settings) as other:
        assert schema in {listed.schema for listed in other.listed()}


def test_a_server_that_freezes_is_given_up(owner: Connection, source: Source) -> None:
    (pid,) = sessions(owner)
    os.kill(pid, signal.SIGSTOP)
    try:
        start = time.perf_counter()
        with pytest.raises(DbragError) as caught:
            source.listed()
        assert caught.value.code == "source_gone"
        assert time.perf_counter() - start < 6  # a statement's second, and three of grace
    finally:
        os.kill(pid, signal.SIGCONT)
