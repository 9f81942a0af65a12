"""Registered databases that cannot be opened: each has a code, and nobody's words but ours."""

import logging
import socket
import time
import traceback

import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier, Literal

from dbrag.catalog.source import open_source
from dbrag.database.pool import Connection
from dbrag.errors import DbragError, Invalid
from dbrag.settings import Settings
from dbrag.telemetry import logs

pytest_plugins = ["catalog_source"]

CANARY = "hunter2-canary"


def refusal(dsn: str, settings: Settings) -> DbragError:
    with pytest.raises(DbragError) as caught, open_source(dsn, settings):
        pass
    return caught.value


@pytest.mark.parametrize(
    ("changes", "code", "retryable"),
    [
        ({"password": CANARY}, "source_login_refused", False),
        ({"user": "nobody_here", "password": CANARY}, "source_login_refused", False),
        ({"dbname": "not_there"}, "source_no_database", False),
        ({"dbname": "template0"}, "source_no_database", False),
        ({"sslmode": "require"}, "source_tls_refused", False),
        ({"sslmode": "verify-full", "sslrootcert": "/nowhere/ca.crt"}, "source_tls_refused", False),
        ({"channel_binding": "require"}, "source_tls_refused", False),
        ({"target_session_attrs": "standby"}, "source_unreachable", True),
        ({"port": "1"}, "source_unreachable", True),
        ({"host": "127.0.0.1,127.0.0.1", "port": "1,2"}, "source_unreachable", True),
        ({"host": "not-a-host.invalid"}, "source_unreachable", True),
        ({"host": "x" * 70 + ".invalid"}, "source_unreachable", True),
    ],
)
def test_each_refusal_has_its_code(
    owner: Connection,
    reader_dsn: str,
    source_settings: Settings,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, str],
    code: str,
    retryable: bool,
) -> None:
    error = refusal(make_conninfo(reader_dsn, **changes), source_settings)
    assert (error.code, error.retryable) == (code, retryable)
    whole = "".join(traceback.format_exception(error)) + repr(error) + caplog.text
    for word in (CANARY, "s3cret-of-the-reader", "FATAL", "not_there", "nobody_here"):
        assert word not in whole


def test_the_second_host_is_tried(owner: Connection, reader_dsn: str, source_settings: Settings) -> None:
    port = owner.info.port
    dsn = make_conninfo(reader_dsn, host="127.0.0.1,localhost", port=f"1,{port}")
    with open_source(dsn, source_settings) as source:
        assert source.listed() is not None


def test_a_server_that_says_nothing_is_given_up(source_settings: Settings, reader_dsn: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = make_conninfo(reader_dsn, port=silent.getsockname()[1], connect_timeout=2)
        start = time.perf_counter()
        error = refusal(dsn, source_settings)
    assert (error.code, error.retryable) == ("source_unreachable", True)
    assert time.perf_counter() - start < 4


def test_a_server_with_no_connection_to_spare(
    owner: Connection, reader_dsn: str, source_settings: Settings, role: Identifier
) -> None:
    owner.execute(SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(role, Literal(1)))
    try:
        with open_source(reader_dsn, source_settings):
            error = refusal(reader_dsn, source_settings)
    finally:
        owner.execute(SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(role, Literal(-1)))
    assert (error.code, error.retryable) == ("source_too_many_connections", True)


def test_nothing_of_the_workers_environment_is_used(
    source_settings: Settings, reader_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "s3cret-of-the-reader")
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=0")
    error = refusal(make_conninfo(reader_dsn, password=""), source_settings)
    assert error.code == "source_login_refused"
    with open_source(reader_dsn, source_settings) as source:
        assert source._conn.execute("SHOW statement_timeout").fetchone() == ("1s",)  # pyright: ignore[reportPrivateUsage]


def test_loopback_is_refused_unless_allowed(settings: Settings, reader_dsn: str) -> None:
    error = refusal(reader_dsn, settings)
    assert isinstance(error, Invalid)
    assert error.code == "address_refused"


def test_the_own_database_is_refused_even_in_a_network_that_is_allowed(
    settings: Settings, source_settings: Settings
) -> None:
    own = settings.database_url.get_secret_value()
    for dsn in (own, make_conninfo(own, host="localhost"), make_conninfo(own, host="127.0.0.2")):
        assert refusal(dsn, source_settings).code == "address_refused"
    allowed = settings.model_copy(update={"connections_allow": ["own"]})
    with open_source(own, allowed) as source:
        assert "jobs" in {listed.name for listed in source.listed()}


def test_the_worker_logs_nothing_of_a_dsn_at_any_level(
    reader_dsn: str, source_settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before = root.handlers, root.level
    logs.configure(source_settings.model_copy(update={"log_level": "DEBUG"}))
    try:
        refusal(make_conninfo(reader_dsn, password=CANARY, dbname="not_there"), source_settings)
        with open_source(reader_dsn, source_settings) as source:
            source.listed()
    finally:
        root.handlers, root.level = before[0], before[1]
    printed = "".join(capfd.readouterr())
    for word in (CANARY, "s3cret-of-the-reader", "not_there", "catalog_reader"):
        assert word not in printed
