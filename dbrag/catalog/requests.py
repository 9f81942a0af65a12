"""Asking for an update of the catalog: of a whole connection, a schema or one table; by a user, or by beat."""

from typing import Any

from psycopg.rows import class_row

from dbrag.catalog import home
from dbrag.catalog.model import Connection
from dbrag.database import pool
from dbrag.database.queries import beside
from dbrag.jobs import jobs
from dbrag.jobs.model import Item, ItemStatus, Job, Kind, Queue
from dbrag.settings import Settings

SQL = beside(__file__)
# Connections in one call of beat's duty.
LIMIT = 100


def request_update(
    conn: pool.Connection,
    connection: Connection,
    queue: Queue,
    settings: Settings,
    *,
    schema: str | None = None,
    table: str | None = None,
    force: bool = False,
) -> Job:
    """Accepts a job; the caller commits and pokes the publisher. `force` describes anew what has not changed, too.

    What it has to do is found out by its worker: until then it has one item, which stands for the connection.
    """
    collection = home.make(conn, connection.tenant_id, settings)
    scope = {"schema": schema, "table": table, "force": force}
    params: dict[str, Any] = {"connection_id": str(connection.id)}
    return jobs.create_with_items(
        conn,
        connection.tenant_id,
        Kind.UPDATE_METADATA_CATALOG,
        queue,
        collection.id,
        [Item(0, connection.name, ItemStatus.QUEUED, None)],
        params=params | {name: value for name, value in scope.items() if value},
    )


def request_due(conn: pool.Connection, settings: Settings) -> int:
    """Makes a job for each connection whose update is due; two beats at once make one. Returns how many."""
    with conn.cursor(row_factory=class_row(Connection)) as cursor:
        due = cursor.execute(SQL.due_connections, {"limit": LIMIT}).fetchall()
    for connection in due:
        request_update(conn, connection, Queue.LOW, settings)
    return len(due)
