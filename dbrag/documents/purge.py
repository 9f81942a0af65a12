"""Removing deleted collections, in slices, so that nobody waits for a long transaction."""

from dbrag.database.pool import Connection, Pool
from dbrag.database.queries import beside
from dbrag.vectors import generations
from dbrag.vectors.tables import generation_table

SQL = beside(__file__)
# Documents in one transaction.
SLICE = 500
# Slices in one call; beat calls again.
SLICES = 100


def purge_deleted(pool: Pool) -> int:
    """Removes documents of deleted collections, then the collections and their tables; returns how many documents."""
    removed = 0
    for _ in range(SLICES):
        with pool.connection() as conn:
            row = conn.execute(SQL.next_deleted).fetchone()
            if row is None:
                break
            collection_id = row[0]
            slice_ = _remove_documents(conn, collection_id)
            removed += slice_
            if slice_ == 0:
                for generation in generations.history(conn, collection_id):
                    conn.execute(SQL.drop_generation_table.format(table=generation_table(generation.id)))
                conn.execute(SQL.delete_collection_row, {"id": collection_id})
    return removed


def _remove_documents(conn: Connection, collection_id: int) -> int:
    ids = [row[0] for row in conn.execute(SQL.documents_to_purge, {"collection_id": collection_id, "limit": SLICE})]
    if ids:
        # The vectors go with their table.
        conn.execute(SQL.delete_chunks_of_documents, {"ids": ids})
        conn.execute(SQL.delete_pending_of_documents, {"ids": ids})
        conn.execute(SQL.delete_documents, {"ids": ids})
    return len(ids)
