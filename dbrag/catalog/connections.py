"""Registered databases: put, found, deleted. Nothing here reaches them; workers do."""

from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from dbrag.catalog import dsn, masking, reach
from dbrag.catalog.model import Connection, Masking
from dbrag.catalog.secrets import Vault
from dbrag.database import pool
from dbrag.database.queries import beside
from dbrag.errors import Conflict, NotFound, Permanent
from dbrag.jobs import jobs
from dbrag.settings import Settings

SQL = beside(__file__)
_MASKING = TypeAdapter(Masking)
# Rows of a table that are looked at, unless the connection says.
SAMPLE_ROWS = 5


class Put(NamedTuple):
    """The connection as it stands, and whether it was made."""

    connection: Connection
    created: bool


def put(
    conn: pool.Connection,
    tenant_id: UUID,
    name: str,
    url: str,
    settings: Settings,
    *,
    masked: Masking | None = None,
    sample_rows: int = SAMPLE_ROWS,
    update_every_s: int | None = None,
) -> Put:
    """Registers a database under a name, or replaces what is known of it; `url` is its DSN.

    Raises: Invalid for a DSN that cannot be used, an address that may not be reached, or a mask that cannot be.
    """
    masked = masked or Masking()
    masking.check(masked)
    reach.check_named(dsn.parse(url), settings)
    before = _select(conn, tenant_id, name=name, after=None, limit=1)
    row = conn.execute(
        SQL.put_connection,
        {
            "tenant_id": tenant_id,
            "name": name,
            "dsn": Vault(settings).encrypt(url),
            "masking": Jsonb(_MASKING.dump_python(masked)),
            "sample_rows": sample_rows,
            "update_every_s": update_every_s,
        },
    ).fetchone()
    assert row is not None
    connection = get(conn, tenant_id, name)
    if before and _place(before[0], settings) != _place(connection, settings):
        conn.execute(SQL.forget_oids, {"connection_id": connection.id})
    return Put(connection, row[1])


def get(conn: pool.Connection, tenant_id: UUID, name: str) -> Connection:
    """Raises: NotFound, for another tenant's too."""
    found = _select(conn, tenant_id, name=name, after=None, limit=1)
    if not found:
        raise NotFound(f"there is no connection {name!r}: make it with PUT /v1/connections/{name}")
    return found[0]


def page(conn: pool.Connection, tenant_id: UUID, after: str | None, limit: int) -> list[Connection]:
    """Connections whose name sorts behind `after`, by name."""
    return _select(conn, tenant_id, name=None, after=after, limit=limit)


def by_id(conn: pool.Connection, connection_id: int) -> Connection | None:
    """The connection of a job; None where it has been deleted."""
    with conn.cursor(row_factory=class_row(Connection)) as cursor:
        return cursor.execute(SQL.select_connection, {"id": connection_id}).fetchone()


def delete(conn: pool.Connection, tenant_id: UUID, name: str) -> None:
    """Hides the connection and its tables at once, forgets its DSN and cancels its jobs. Raises: NotFound."""
    connection = get(conn, tenant_id, name)
    for (job_id,) in conn.execute(SQL.unfinished_updates, {"id": connection.id}).fetchall():
        with suppress(Conflict):  # it has just ended
            jobs.cancel(conn, tenant_id, job_id)
    conn.execute(SQL.delete_connection, {"id": connection.id})


def encrypt_anew(conn: pool.Connection, settings: Settings) -> int:
    """Encrypts all DSNs with the first of the keys, so that the others can be taken away; returns how many."""
    vault, done, last = Vault(settings), 0, 0
    while rows := conn.execute(SQL.encrypted_dsns, {"after": last, "limit": 100}).fetchall():
        for last, token in rows:
            conn.execute(SQL.replace_dsn, {"id": last, "old": token, "new": vault.rotate(bytes(token))})
        done += len(rows)
    return done


def address(connection: Connection, settings: Settings) -> dict[str, str]:
    """What of a DSN its owner may see: host, port, database, user, sslmode; nothing where no key opens it any more."""
    try:
        return dict(dsn.parse(Vault(settings).decrypt(connection.dsn)).shown)
    except Permanent:
        return {}


def _place(connection: Connection, settings: Settings) -> tuple[str | None, ...]:
    shown = address(connection, settings)
    return shown.get("host"), shown.get("port"), shown.get("database")


def _select(
    conn: pool.Connection, tenant_id: UUID, *, name: str | None, after: str | None, limit: int
) -> list[Connection]:
    with conn.cursor(row_factory=class_row(Connection)) as cursor:
        return cursor.execute(
            SQL.select_connections, {"tenant_id": tenant_id, "name": name, "after": after, "limit": limit}
        ).fetchall()
