"""How versions of documents go live, fail or go away; every function here runs under the documents' locks.

A waiting version refers to the chunks it keeps from the live one by `kept_chunk_id`. When the live version goes, each
such chunk moves, with its vector, to the oldest version that keeps it, so that nothing is embedded or indexed twice.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.jobs.model import ItemStatus
from dbrag.jobs.settle import Outcome
from dbrag.vectors import generations, segments

SQL = beside(__file__)


class Ready(NamedTuple):
    """A version with all its vectors."""

    id: int
    document_id: int
    job_id: UUID
    item_index: int
    paid: bool


class Older(NamedTuple):
    """A version that goes when a newer one goes live."""

    id: int
    job_id: UUID
    item_index: int
    status: str


def lock_of_chunks(conn: Connection, chunk_ids: Sequence[int]) -> None:
    """Locks the documents of these chunks, in the same order as `lock`."""
    conn.execute(SQL.lock_documents_of_chunks, {"chunk_ids": list(chunk_ids)})


def lock(conn: Connection, version_ids: Sequence[int]) -> list[int]:
    """Locks the documents of these versions, in the order that everybody keeps, and returns their ids."""
    return [row[0] for row in conn.execute(SQL.lock_documents_of_versions, {"version_ids": list(version_ids)})]


def waiting(conn: Connection, version_ids: Iterable[int]) -> set[int]:
    """Those of the versions that still wait; the others were overtaken, cancelled, deleted or have failed."""
    return {row[0] for row in conn.execute(SQL.waiting_versions, {"version_ids": list(version_ids)})}


def complete(conn: Connection, version_ids: Iterable[int], paid: Set[int] = frozenset()) -> list[Outcome]:
    """Makes those of the versions live that have every vector; tells how their items ended.

    Whatever is older goes, so that a version that was overtaken can never go live: its item is skipped. A text of those
    in `paid` was just sent to the provider for the job that brought them.
    """
    rows = conn.execute(SQL.ready_versions, {"version_ids": list(version_ids)})
    newest = [list(group)[-1] for _, group in groupby(map(Ready._make, rows), lambda version: version.document_id)]
    ids = [version.id for version in newest]
    skipped = _overtake(conn, ids)
    conn.execute(SQL.go_live, {"version_ids": ids, "paid": list(paid)})
    conn.execute(SQL.mark_paid, {"version_ids": list(paid - set(ids))})
    completed = [
        Outcome(v.job_id, v.item_index, ItemStatus.COMPLETED, cached=not (v.paid or v.id in paid)) for v in newest
    ]
    return completed + skipped


def adopt(conn: Connection, pairs: Sequence[tuple[int, int]]) -> list[Outcome]:
    """Lets live versions stand for ones that were sent and are the same (sent, live); tells how their items ended."""
    rows = conn.execute(SQL.adopt, {"sent_ids": [sent for sent, _ in pairs], "live_ids": [live for _, live in pairs]})
    adopted = [Ready._make(row) for row in rows]
    completed = [Outcome(v.job_id, v.item_index, ItemStatus.COMPLETED, cached=True) for v in adopted]
    return completed + _overtake(conn, [version.id for version in adopted])


def _overtake(conn: Connection, version_ids: Sequence[int]) -> list[Outcome]:
    """Removes whatever is older than these versions; items that waited for it are skipped."""
    older = [Older._make(row) for row in conn.execute(SQL.older_versions, {"version_ids": list(version_ids)})]
    drop(conn, [version.id for version in older])
    return [Outcome(v.job_id, v.item_index, ItemStatus.SKIPPED) for v in older if v.status == "waiting"]


def fail(conn: Connection, errors: Mapping[int, dict[str, Any]]) -> list[Outcome]:
    """Ends waiting versions with an error each; what is live stays live. They are kept for a retry."""
    items = conn.execute(SQL.waiting_versions, {"version_ids": list(errors)}).fetchall()
    ids = [id_ for id_, _, _ in items]
    conn.execute(SQL.mark_failed, {"version_ids": ids})
    conn.execute(SQL.delete_pending, {"version_ids": ids})
    return [Outcome(job_id, index, ItemStatus.FAILED, errors[id_]) for id_, job_id, index in items]


def drop(conn: Connection, version_ids: Sequence[int]) -> None:
    """Removes versions with their chunks and vectors, but for the chunks that another version keeps."""
    if not version_ids:
        return
    versions = {"version_ids": list(version_ids)}
    conn.execute(SQL.hand_over_chunks, versions)
    gone = conn.execute(SQL.delete_chunks, versions).fetchall()
    for generation in generations.all_of_collections(conn, {row[0] for row in gone}):
        chunk_ids = [
            chunk_id
            for collection_id, chunk_id, has_vector in gone
            if has_vector and collection_id == generation.collection_id
        ]
        segments.delete_vectors(conn, generation.id, chunk_ids)
    conn.execute(SQL.delete_pending, versions)
    conn.execute(SQL.delete_versions, versions)
