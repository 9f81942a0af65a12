"""Connections to PostgreSQL: opened after fork, closed at exit, the same everywhere."""

from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic
from typing import Any, cast

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from dbrag.errors import Transient
from dbrag.settings import Settings

Connection = psycopg.Connection[TupleRow]
Pool = ConnectionPool[Connection]

# A door waits this long for a free connection before it says 503, in seconds.
POOL_TIMEOUT_S = 5.0
# Nobody waits in a transaction for anything but PostgreSQL. A process that stands still in one (SIGSTOP, a frozen host)
# must not keep its locks, for which others wait: a quarter of a lease at most, since several that stand still and wait
# for the same lock get it one after the other. In seconds.
IDLE_S, IDLE_SHARE = (5, 15), 0.25
CONNECT_OPTIONS: dict[str, Any] = {
    "connect_timeout": 5,
    "application_name": "dbrag",
    # A peer that is gone without a goodbye is noticed after 30 s and not after two hours.
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


# A connection that worked a moment ago is not asked whether it does: that would be a tenth of what a request costs. One
# that broke since then fails its transaction, as it would a moment later. In seconds.
CHECK_EVERY_S = 1.0


class PooledConnection(psycopg.Connection[TupleRow]):
    """A connection that knows when it was last asked whether it works."""

    checked_at = 0.0


def open_pool(settings: Settings, size: int, options: str = "") -> Pool:
    """A pool of at most `size` connections (libpq's `options` set); it does not wait for the server to be there."""
    idle_s = min(max(IDLE_SHARE * settings.lease_s, IDLE_S[0]), IDLE_S[1])
    return ConnectionPool(
        settings.database_url.get_secret_value(),
        connection_class=PooledConnection,
        kwargs=CONNECT_OPTIONS | {"options": f"-c idle_in_transaction_session_timeout={idle_s:.0f}s {options}"},
        min_size=1,
        max_size=size,
        timeout=POOL_TIMEOUT_S,
        check=_check,
        open=True,
    )


def _check(connection: Connection) -> None:
    """Raises: OperationalError where it is broken; the pool gives another one then."""
    pooled = cast(PooledConnection, connection)
    if monotonic() - pooled.checked_at >= CHECK_EVERY_S:
        ConnectionPool.check_connection(pooled)
        pooled.checked_at = monotonic()


@contextmanager
def statements(pool: Pool) -> Generator[Connection]:
    """A pooled connection on which each statement is a transaction of its own: two round trips less than a block."""
    with pool.connection() as conn:
        conn.autocommit = True
        try:
            yield conn
        finally:
            if not conn.closed:
                conn.autocommit = False


@contextmanager
def connect(settings: Settings, *, autocommit: bool = False) -> Generator[Connection]:
    """One connection outside any pool; commits at the end, or rolls back on an error.

    Raises: Transient where the server cannot be reached.
    """
    try:
        connection = psycopg.connect(settings.database_url.get_secret_value(), autocommit=autocommit, **CONNECT_OPTIONS)
    except psycopg.OperationalError as exc:
        raise Transient(
            f"PostgreSQL cannot be reached: {exc}. Check DATABASE_URL.", code="database_unavailable"
        ) from exc
    with connection:
        yield connection
