"""A session in a registered database: read only, with a time limit for everything, and nothing of the worker's own."""

import os
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from dbrag.catalog.dsn import Dsn
from dbrag.catalog.refusals import refused_connection
from dbrag.database.pool import CONNECT_OPTIONS, Connection
from dbrag.settings import Settings

# What a server has beyond its own statement_timeout before it is taken for dead, in seconds.
GRACE_S = 3.0
# Nothing of the worker's own opens a customer's database: no PGPASSWORD, no .pgpass, no certificate of its home
# folder, no Kerberos ticket.
_NOTHING_OF_OURS = {
    "password": "",
    "passfile": "/nonexistent",
    "sslcertmode": "disable",
    "gssencmode": "disable",
}


def connect(dsn: Dsn, settings: Settings) -> Connection:
    """A connection in autocommit whose transactions are read only, to a DSN whose addresses were looked up.

    Raises: Permanent, Transient, as `open_source`.
    """
    try:
        conn = psycopg.Connection[TupleRow].connect(
            autocommit=True, prepare_threshold=None, **_parameters(dsn, settings.source_timeout_s)
        )
    except psycopg.Error as exc:
        error = refused_connection(exc)
    else:
        # BEGIN READ ONLY: a function that a view calls cannot undo that, as it could a setting of the session.
        conn.read_only = True
        return conn
    raise error  # not `from exc`: libpq's message would come along, into logs and error trackers


def _parameters(dsn: Dsn, timeout_s: float) -> dict[str, Any]:
    timeouts = f"-c statement_timeout={timeout_s * 1000:.0f}ms -c lock_timeout={timeout_s * 500:.0f}ms"
    options = f"-c default_transaction_read_only=on -c idle_in_transaction_session_timeout=15s {timeouts}"
    parameters: dict[str, Any] = {**CONNECT_OPTIONS, **_NOTHING_OF_OURS, **dsn.parameters}
    if dsn.password:
        parameters["password"] = dsn.password.get_secret_value()
    return parameters | {
        "host": ",".join(host.name for host in dsn.hosts),
        "hostaddr": ",".join(host.address for host in dsn.hosts),
        "port": ",".join(str(host.port) for host in dsn.hosts),
        "dbname": dsn.database,
        "user": dsn.user,
        "application_name": "dbrag-catalog",
        "client_encoding": "UTF8",
        "options": options,
    }


@contextmanager
def hung_up_after(seconds: float, conn: Connection) -> Generator[None]:
    """Breaks the connection where its server says nothing for so long, and 3 s: if frozen, it keeps no time limit."""
    timer = threading.Timer(seconds + GRACE_S, _hang_up, [conn.fileno()])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # or it could hang up another connection that has the number by then


def _hang_up(fd: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(fd)) as same:  # it may have ended by itself just now
        same.shutdown(socket.SHUT_RDWR)
