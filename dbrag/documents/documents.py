"""What an owner may ask of one document: see it, delete it."""

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
    """Removes a document, what searches see of it, and what still waits; jobs at work on it skip it.

    Raises: NotFound.
    """
    row = conn.execute(SQL.lock_document, {"collection_id": collection.id, "external_id": external_id}).fetchone()
    if row is None:
        raise _not_found(collection, external_id)
    all_versions = conn.execute(SQL.versions_of_document, {"document_id": row[0]}).fetchall()
    versions.drop(conn, [version_id for version_id, _, _, _ in all_versions])
    conn.execute(SQL.delete_documents, {"ids": [row[0]]})
    waiting = [(job_id, index) for _, job_id, index, status in all_versions if status == "waiting"]
    settle(conn, [Outcome(job_id, index, ItemStatus.SKIPPED) for job_id, index in waiting])
    collections.count_version(conn, [collection.id])


def _not_found(collection: Collection, external_id: str) -> NotFound:
    return NotFound(f"the collection {collection.name!r} has no document {external_id!r}")
