"""What an owner may ask of a document: see it, delete it."""

from collections.abc import Sequence

from psycopg.rows import class_row

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.documents import collections, versions
from dbrag.documents.model import Collection, Document
from dbrag.errors import NotFound
from dbrag.jobs.model import ItemStatus
from dbrag.jobs.settle import Outcome, settle

SQL = beside(__file__)


def get(conn: Connection, collection: Collection, external_id: str) -> Document:
    """The live version, else the newest one. Raises: NotFound."""
    with conn.cursor(row_factory=class_row(Document)) as cursor:
        document = cursor.execute(
            SQL.select_document, {"collection_id": collection.id, "external_id": external_id}
        ).fetchone()
    if document is None:
        raise _not_found(collection, external_id)
    return document


def delete(conn: Connection, collection: Collection, external_id: str) -> None:
    """Removes a document; see `remove`. Raises: NotFound."""
    if not remove(conn, collection, [external_id]):
        raise _not_found(collection, external_id)


def remove(conn: Connection, collection: Collection, external_ids: Sequence[str]) -> int:
    """Removes documents, what searches see of them, and what still waits; jobs at work on them skip them.

    Returns how many there were.
    """
    wanted = {"collection_id": collection.id, "external_ids": list(external_ids)}
    ids = [row[0] for row in conn.execute(SQL.lock_documents, wanted)]
    if ids:
        all_versions = conn.execute(SQL.versions_of_documents, {"document_ids": ids}).fetchall()
        versions.drop(conn, [version_id for version_id, _, _, _ in all_versions])
        conn.execute(SQL.delete_documents, {"ids": ids})
        waiting = [(job_id, index) for _, job_id, index, status in all_versions if status == "waiting"]
        settle(conn, [Outcome(job_id, index, ItemStatus.SKIPPED) for job_id, index in waiting])
        collections.count_version(conn, [collection.id])
    return len(ids)


def _not_found(collection: Collection, external_id: str) -> NotFound:
    return NotFound(f"the collection {collection.name!r} has no document {external_id!r}")
