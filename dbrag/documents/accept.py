"""Accepting documents: one transaction that writes the job, its items and what was submitted, or nothing of it."""

from collections.abc import Sequence
from hashlib import sha256
from uuid import UUID

import orjson

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.documents.model import Collection, Refusal, Submission
from dbrag.jobs import jobs
from dbrag.jobs.model import Job, Kind, Queue

SQL = beside(__file__)
# Count it up when extraction or splitting begins to make other chunks: what is sent again is split anew then.
SPLITTER = 1


def accept(
    conn: Connection, collection: Collection, kind: Kind, queue: Queue, items: Sequence[Submission | Refusal]
) -> Job:
    """The job that will do these items, whose external ids are all different.

    The caller commits (that is the moment of acceptance) and then pokes the publisher. A refused item is a failed item
    of the job; a document that exists gets a new version, which replaces the live one when it is complete.
    """
    named = [(item.external_id, _error(item)) for item in items]
    job_id = jobs.create_with_items(conn, collection.tenant_id, kind, queue, collection.id, named, size=size(items))
    accepted = [(index, item) for index, item in enumerate(items) if isinstance(item, Submission)]
    if accepted:
        versions = insert_versions(conn, collection, job_id, accepted, kind)
        for index, item in accepted:
            if item.content is not None:
                _insert_blob(conn, collection, versions[index], item)
    return jobs.get(conn, collection.tenant_id, job_id)


def size(items: Sequence[Submission | Refusal]) -> int:
    """Bytes that were submitted with what can be accepted of these items."""
    return sum(item.size for item in items if isinstance(item, Submission))


def _error(item: Submission | Refusal) -> dict[str, str] | None:
    return {"code": item.code, "detail": item.detail} if isinstance(item, Refusal) else None


def insert_versions(
    conn: Connection, collection: Collection, job_id: UUID, accepted: Sequence[tuple[int, Submission]], kind: Kind
) -> dict[int, int]:
    """New versions of documents for items of a job (by index), which wait; their ids by index."""
    tenant_id = collection.tenant_id
    upserted = conn.execute(
        SQL.upsert_documents,
        {
            "tenant_id": tenant_id,
            "collection_id": collection.id,
            "external_ids": [item.external_id for _, item in accepted],
        },
    ).fetchall()
    documents = {external_id: (document_id, version) for external_id, document_id, version in upserted}
    inserted = conn.execute(
        SQL.insert_versions,
        {
            "tenant_id": tenant_id,
            "job_id": job_id,
            "document_ids": [documents[item.external_id][0] for _, item in accepted],
            "versions": [documents[item.external_id][1] for _, item in accepted],
            "indexes": [index for index, _ in accepted],
            "titles": [item.title for _, item in accepted],
            "metadata": [orjson.dumps(item.metadata).decode() for _, item in accepted],
            "texts": [item.text for _, item in accepted],
            "hashes": [_content_hash(kind, item) for _, item in accepted],
        },
    ).fetchall()
    return dict(inserted)


def _content_hash(kind: Kind, item: Submission) -> bytes:
    """The same for what would be split into the same chunks, and bears the same title."""
    content = item.content if item.text is None else item.text.encode()
    digest = sha256(content or b"")
    digest.update(orjson.dumps([SPLITTER, kind, item.text is None, item.media_type, item.filename, item.title]))
    return digest.digest()


def _insert_blob(conn: Connection, collection: Collection, version_id: int, item: Submission) -> None:
    conn.execute(
        SQL.insert_blob,
        {
            "version_id": version_id,
            "tenant_id": collection.tenant_id,
            "media_type": item.media_type,
            "filename": item.filename,
            "content": item.content,
        },
    )
