"""Accepting documents: one transaction that writes the job, its items and what was submitted, or nothing of it."""

from collections.abc import Collection as Names
from collections.abc import Container, Sequence
from hashlib import sha256
from typing import TypeGuard
from uuid import UUID

import orjson

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.documents.model import Collection, OnConflict, Refusal, Submission
from dbrag.jobs import jobs
from dbrag.jobs.model import Item, ItemStatus, Job, Kind, Queue

SQL = beside(__file__)
# Count it up when extraction or splitting begins to make other chunks: what is sent again is split anew then.
SPLITTER = 2

EXISTS = {
    "code": "exists",
    "detail": "a document has this external_id: on_conflict=replace replaces it, on_conflict=skip leaves it alone",
}

NextVersions = dict[str, tuple[int, int]]
"""By external_id, the id of a document and the number of its next version."""


def accept(
    conn: Connection,
    collection: Collection,
    kind: Kind,
    queue: Queue,
    items: Sequence[Submission | Refusal],
    on_conflict: OnConflict = OnConflict.REPLACE,
) -> Job:
    """The job that will do these items, whose external ids are all different.

    The caller commits (that is the moment of acceptance) and then pokes the publisher. A refused item is a failed item
    of the job; a document that exists gets a new version, which replaces the live one when it is complete, unless
    `on_conflict` leaves it as it is: then its item is skipped, or fails.
    """
    named = {item.external_id for item in items if isinstance(item, Submission)}
    found = next_versions(conn, collection, named, on_conflict)
    accepted = [(index, item) for index, item in enumerate(items) if _is_accepted(item, found)]
    existing = len(named) - len(found) if on_conflict is OnConflict.SKIP else 0
    job = jobs.create_with_items(
        conn,
        collection.tenant_id,
        kind,
        queue,
        collection.id,
        [_item(index, item, found, on_conflict) for index, item in enumerate(items)],
        size=size([item for _, item in accepted]),
        params={"existing": existing} if existing else {},
    )
    if accepted:
        versions = insert_versions(conn, collection, job.id, accepted, kind, found)
        for index, item in accepted:
            if item.content is not None:
                _insert_blob(conn, collection, versions[index], item)
    return job


def size(items: Sequence[Submission | Refusal]) -> int:
    """Bytes that were submitted with what can be accepted of these items."""
    return sum(item.size for item in items if isinstance(item, Submission))


def _is_accepted(item: Submission | Refusal, found: Container[str]) -> TypeGuard[Submission]:
    return isinstance(item, Submission) and item.external_id in found


def _item(index: int, item: Submission | Refusal, found: Container[str], on_conflict: OnConflict) -> Item:
    if isinstance(item, Refusal):
        return Item(index, item.external_id, ItemStatus.FAILED, {"code": item.code, "detail": item.detail})
    if item.external_id in found:
        return Item(index, item.external_id, ItemStatus.QUEUED, None)
    if on_conflict is OnConflict.SKIP:
        return Item(index, item.external_id, ItemStatus.SKIPPED, None)
    return Item(index, item.external_id, ItemStatus.FAILED, EXISTS)


def next_versions(
    conn: Connection, collection: Collection, names: Names[str], on_conflict: OnConflict = OnConflict.REPLACE
) -> NextVersions:
    """Where the next versions of documents go, which are locked and made if need be; without those that stand in the
    way of `on_conflict`.
    """
    replaces = on_conflict is OnConflict.REPLACE
    wanted = set(names) if replaces else set(names) - _standing(conn, collection, names)
    upserted = conn.execute(
        SQL.upsert_documents,
        {"tenant_id": collection.tenant_id, "collection_id": collection.id, "external_ids": list(wanted)},
    ).fetchall()
    # Somebody may have been faster with one of them: now that it is locked, this can be seen.
    standing = set[str]() if replaces else _standing(conn, collection, wanted)
    return {name: (document_id, version) for name, document_id, version in upserted if name not in standing}


def existing(
    conn: Connection, collection: Collection, items: Sequence[Submission | Refusal], on_conflict: OnConflict
) -> dict[str, Refusal | None]:
    """What stands in the way of `on_conflict` now, by external_id: None where its item would be skipped."""
    if on_conflict is OnConflict.REPLACE:
        return {}
    standing = _standing(conn, collection, {item.external_id for item in items if isinstance(item, Submission)})
    skips = on_conflict is OnConflict.SKIP
    return {name: None if skips else Refusal(name, **EXISTS) for name in standing}


def _standing(conn: Connection, collection: Collection, names: Names[str]) -> set[str]:
    wanted = {"collection_id": collection.id, "external_ids": list(names)}
    return {row[0] for row in conn.execute(SQL.standing_documents, wanted)}


def insert_versions(
    conn: Connection,
    collection: Collection,
    job_id: UUID,
    accepted: Sequence[tuple[int, Submission]],
    kind: Kind,
    found: NextVersions,
) -> dict[int, int]:
    """New versions of documents for items of a job (by index), which wait; their ids by index."""
    inserted = conn.execute(
        SQL.insert_versions,
        {
            "tenant_id": collection.tenant_id,
            "job_id": job_id,
            "document_ids": [found[item.external_id][0] for _, item in accepted],
            "versions": [found[item.external_id][1] for _, item in accepted],
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
