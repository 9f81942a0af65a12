"""Storing a block of split documents: one transaction, after which every chunk has a vector or waits for one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.documents import collections, versions
from dbrag.documents.model import NO_LANGUAGE, Collection
from dbrag.documents.prepare import Chunk, Prepared, Source
from dbrag.jobs import claims
from dbrag.jobs.model import Claim, ItemStatus, Queue
from dbrag.jobs.settle import lock, settle
from dbrag.settings import Settings
from dbrag.vectors import generations, segments
from dbrag.vectors.model import GenerationStatus, Written

SQL = beside(__file__)

CHUNK_TYPES = (
    *("int8", "uuid", "int8", "int8", "int4", "int4", "int4", "int4", "bytea", "text", "int8", "text"),
    *("int4", "text[]"),
)
PENDING_TYPES = ("int8", "uuid", "int8", "uuid", "int8", "text", "int4", "int2", "int4", "bytea")


class Placed(NamedTuple):
    """A chunk with its id, and the live chunk whose place and vector it takes over (None: it needs a vector)."""

    id: int
    version_id: int
    position: int
    chunk: Chunk
    kept_chunk_id: int | None


class Waiting(NamedTuple):
    """A chunk that needs a vector."""

    version_id: int
    chunk_id: int
    tokens: int
    hash: bytes


def adopt_unchanged(conn: Connection, claim: Claim, settings: Settings, max_items: int) -> int:
    """Ends items whose documents are live as they were sent, without looking at their chunks; returns how many.

    Raises: ClaimLost; the transaction must then be rolled back.
    """
    wanted = {"job_id": claim.id, "max_items": max_items, "version_ids": None}
    candidates = [row[0] for row in conn.execute(SQL.unchanged_versions, wanted)]
    if not candidates:
        return 0
    versions.lock(conn, candidates)
    pairs = conn.execute(SQL.unchanged_versions, wanted | {"version_ids": candidates}).fetchall()
    outcomes = versions.adopt(conn, [(sent, live) for sent, live in pairs])
    lock(conn, {claim.id, *(outcome.job_id for outcome in outcomes)})
    claims.renew(conn, claim, settings, prepared=len(pairs))
    settle(conn, outcomes)
    if pairs and claim.collection_id:
        collections.count_version(conn, [claim.collection_id])
    return len(candidates)


def next_block(conn: Connection, claim: Claim, *, max_items: int, max_bytes: int) -> list[Source]:
    """The next items of the job that have not been split, in their order."""
    cursor = conn.cursor(binary=True)  # as text, a file's bytes come at twice their size
    cursor.execute(SQL.next_block, {"job_id": claim.id, "max_items": max_items, "max_bytes": max_bytes})
    return [Source._make(row) for row in cursor]


def store(
    conn: Connection,
    claim: Claim,
    collection: Collection,
    prepared: Sequence[Prepared],
    failures: Mapping[int, dict[str, Any]],
    settings: Settings,
) -> bool:
    """Writes the chunks, makes versions live that need no new vector, ends items that failed (errors by version id).

    Returns whether chunks wait for vectors. Raises: ClaimLost; the transaction must then be rolled back.
    """
    all_ids = [*(one.source.version_id for one in prepared), *failures]
    versions.lock(conn, all_ids)
    still = versions.waiting(conn, all_ids)
    split_before = {row[0] for row in conn.execute(SQL.split_versions, {"version_ids": all_ids})}
    fresh = [one for one in prepared if one.source.version_id in still - split_before]
    placed = _place(conn, collection, fresh)
    _copy_chunks(conn, collection, placed)
    _store_texts(conn, fresh)
    waiting = [Waiting(p.version_id, p.id, p.chunk.tokens, p.chunk.hash) for p in placed if p.kept_chunk_id is None]
    serving, *building = generations.written(conn, collection.id)
    retried = sorted(split_before & still)
    if retried:  # a generation that is being built may have put texts of theirs on the table meanwhile
        conn.execute(SQL.delete_pending, {"version_ids": retried})
    for one in building:
        _copy_pending(conn, claim, one, [*waiting, *_missing(conn, one, retried)])
    waiting += _missing(conn, serving, retried)
    _copy_pending(conn, claim, serving, waiting)
    conn.execute(SQL.mark_embedding, {"job_id": claim.id, "indexes": [one.source.item_index for one in prepared]})
    needy = {chunk.version_id for chunk in waiting}
    outcomes = [
        *versions.complete(conn, [one.source.version_id for one in prepared if one.source.version_id not in needy]),
        *versions.fail(conn, failures),
    ]
    lock(conn, {claim.id, *(outcome.job_id for outcome in outcomes)})
    chunks = max(len(placed), len(waiting))
    claims.renew(
        conn, claim, settings, prepared=len(all_ids), chunks=chunks, chunks_done=max(0, len(placed) - len(waiting))
    )
    settle(conn, outcomes)
    if any(outcome.status is ItemStatus.COMPLETED for outcome in outcomes):
        collections.count_version(conn, [collection.id])
    return bool(waiting)


def _place(conn: Connection, collection: Collection, fresh: Sequence[Prepared]) -> list[Placed]:
    """Gives chunks their ids, pairing each with an unchanged one of the live version, the first with the first."""
    live: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)
    for document_id, hash_, chunk_id in conn.execute(
        SQL.live_chunks, {"document_ids": [one.source.document_id for one in fresh]}
    ):
        live[document_id, bytes(hash_)].append(chunk_id)
    count = sum(len(one.chunks) for one in fresh)
    ids = iter([row[0] for row in conn.execute(SQL.chunk_ids, {"n": count})])
    placed: list[Placed] = []
    for one in fresh:
        for position, chunk in enumerate(one.chunks):
            unchanged = live[one.source.document_id, chunk.hash]
            kept = unchanged.pop(0) if unchanged else None
            placed.append(Placed(next(ids), one.source.version_id, position, chunk, kept))
    return placed


def _copy_chunks(conn: Connection, collection: Collection, placed: Sequence[Placed]) -> None:
    with conn.cursor() as cursor, cursor.copy(SQL.copy_chunks) as copy:
        copy.set_types(CHUNK_TYPES)
        for id_, version_id, position, chunk, kept in placed:
            copy.write_row(
                (
                    id_,
                    collection.tenant_id,
                    collection.id,
                    version_id,
                    position,
                    chunk.start,
                    chunk.end,
                    chunk.tokens,
                    chunk.hash,
                    chunk.text,
                    kept,
                    # A chunk that another one takes the place of holds no words that anybody will look for.
                    None if kept or collection.language == NO_LANGUAGE else collection.language,
                    chunk.page,
                    chunk.headings,
                )
            )


def _missing(conn: Connection, generation: Written, retried: Sequence[int]) -> list[Waiting]:
    """What has its vector from an earlier attempt is not embedded again."""
    return list(map(Waiting._make, segments.missing(conn, generation.id, retried))) if retried else []


def _copy_pending(conn: Connection, claim: Claim, generation: Written, waiting: Sequence[Waiting]) -> None:
    """Puts chunks on the pending table; what a generation that is being built needs is its own job's, and may wait."""
    rank = Queue.LOW.rank if generation.status is GenerationStatus.BUILDING else claim.queue.rank
    with conn.cursor() as cursor, cursor.copy(SQL.copy_pending) as copy:
        copy.set_types(PENDING_TYPES)
        for version_id, chunk_id, tokens, hash_ in waiting:
            copy.write_row(
                (
                    chunk_id,
                    claim.tenant_id,
                    version_id,
                    generation.job_id or claim.id,
                    generation.id,
                    generation.model,
                    generation.dimensions,
                    rank,
                    tokens,
                    hash_,
                )
            )


def _store_texts(conn: Connection, fresh: Sequence[Prepared]) -> None:
    for one in fresh:
        if one.extracted:  # one by one: an array of large texts would be copied several times over
            conn.execute(SQL.set_text, {"id": one.source.version_id, "text": one.text, "title": one.title})
