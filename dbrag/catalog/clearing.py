"""Removing what the catalog has of deleted connections, in slices, so that nobody waits for a long transaction."""

from dbrag.catalog import home
from dbrag.database.pool import Pool
from dbrag.database.queries import beside
from dbrag.documents import documents

SQL = beside(__file__)
# Tables in one transaction.
SLICE = 200
# Slices in one call; beat calls again.
SLICES = 50


def clear_connections(pool: Pool) -> int:
    """Removes tables of deleted connections, then the connections; returns how many tables."""
    removed = 0
    for _ in range(SLICES):
        with pool.connection() as conn:
            row = conn.execute(SQL.next_deleted_connection).fetchone()
            if row is None:
                break
            connection_id, tenant_id = row
            collection = home.find(conn, tenant_id)
            wanted = {"collection_id": collection.id if collection else 0, "connection_id": connection_id}
            there = [name for (name,) in conn.execute(SQL.documents_of_connection, wanted | {"limit": SLICE})]
            if collection and there:
                removed += documents.remove(conn, collection, there)
            else:
                conn.execute(SQL.delete_connection_row, {"id": connection_id})
    return removed
