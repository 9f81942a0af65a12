"""The work of `ingest_document` and `batch_embed`: splits a job's items until they wait for vectors."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from billiard.exceptions import SoftTimeLimitExceeded  # pyright: ignore[reportMissingTypeStubs] - it has none

from dbrag.documents import blocks, collections, poison, prepare
from dbrag.documents.attempt import DEFECT, attempt, begin, hand_back, report
from dbrag.documents.model import Collection
from dbrag.errors import Permanent, Transient
from dbrag.jobs import claims
from dbrag.jobs.model import Claim, Kind
from dbrag.runtime import Runtime

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
# A block is written in one transaction, after which its texts can be embedded: large enough to make round trips cheap,
# small enough that the first requests leave early. 384 KiB are some 100,000 tokens, a third of a request.
BLOCK_ITEMS = 512
BLOCK_BYTES = 384 * 1024
# A task that has worked for this share of its lease hands the job back, so that one extraction more still fits in it.
SLICE = 0.25


def ingest(runtime: Runtime, job_id: UUID, on_waiting: Callable[[], None] = lambda: None) -> dict[str, object]:
    """Works on the job until it is split or the slice of time is over; does nothing where it is not to be claimed.

    `on_waiting` is called whenever more texts wait for their vectors.

    Returns how the job stands. Raises: AttemptFailed.
    """
    claim = begin(runtime, job_id)
    if claim is None:
        return {"claimed": False}
    with attempt(runtime, claim):
        _split_all(runtime, claim, on_waiting)
    return report(runtime, claim)


def _split_all(runtime: Runtime, claim: Claim, on_waiting: Callable[[], None]) -> None:
    deadline = monotonic() + SLICE * runtime.settings.lease_s

    def over() -> bool:
        return monotonic() > deadline or runtime.draining()

    with runtime.pool.connection() as conn:
        collection = collections.by_id(conn, claim.collection_id) if claim.collection_id else None
    if collection is None:
        raise Permanent("its collection has been deleted", code="collection_deleted")
    while not over():
        with runtime.pool.connection() as conn:
            if not blocks.adopt_unchanged(conn, claim, runtime.settings, BLOCK_ITEMS):
                break
    while not over():
        if not _split_block(runtime, claim, collection, over, on_waiting):
            with runtime.pool.connection() as conn:
                claims.release(conn, claim)
            return
    hand_back(runtime, claim)


def _split_block(
    runtime: Runtime, claim: Claim, collection: Collection, over: Callable[[], bool], on_waiting: Callable[[], None]
) -> bool:
    """Takes the next items through to the pending table; False where there are none left.

    One by one where one of them may kill this process; then nothing is embedded beside, which would die with it.
    """
    with runtime.pool.connection() as conn:
        sources = blocks.next_block(conn, claim, max_items=BLOCK_ITEMS, max_bytes=BLOCK_BYTES)
    waits = False
    if claim.isolates:
        for source in sources:
            with poison.trial(runtime, claim, source) if source.tries < poison.TRIES else nullcontext():
                waits |= _split(runtime, claim, collection, [source], over)
            if over():
                break
    elif sources and (waits := _split(runtime, claim, collection, sources, over)):
        on_waiting()
    if waits:
        runtime.wake(claim.queue)
    return bool(sources)


def _split(
    runtime: Runtime, claim: Claim, collection: Collection, sources: Sequence[prepare.Source], over: Callable[[], bool]
) -> bool:
    """Prepares items, until the time is over, and stores them as one block; says whether texts wait for vectors."""
    splitter = (
        prepare.whole_texts(runtime.settings.model_max_tokens(collection.model))
        if claim.kind is Kind.BATCH_EMBED
        else prepare.documents(collection.chunking, runtime.settings.extract_timeout_s)
    )
    prepared: list[prepare.Prepared] = []
    failures: dict[int, dict[str, Any]] = {}
    for source in sources:
        outcome = _prepare(runtime, claim, source, splitter)
        if isinstance(outcome, Permanent):
            failures[source.version_id] = {"code": outcome.code, "detail": outcome.detail}
        else:
            prepared.append(outcome)
        if over():
            break
    try:
        with runtime.pool.connection() as conn:
            return blocks.store(conn, claim, collection, prepared, failures, runtime.settings)
    except SoftTimeLimitExceeded as exc:  # no item is to blame for that
        raise Transient("PostgreSQL took too long to store them", code="database_unavailable") from exc


def _prepare(
    runtime: Runtime, claim: Claim, source: prepare.Source, splitter: prepare.Splitter
) -> prepare.Prepared | Permanent:
    """The item, split, or why it fails."""
    if source.tries >= poison.TRIES:
        log.error("an item kills its workers", job_id=str(claim.id), index=source.item_index)
        return poison.POISON
    try:
        return prepare.prepare(source, runtime.extractor, splitter)
    except SoftTimeLimitExceeded:
        raise
    except Permanent as exc:
        return exc
    except Exception:
        # A defect that one document meets must not fail the others of its batch; it is logged with its traceback.
        log.exception("a defect met by one document", job_id=str(claim.id), index=source.item_index)
        return DEFECT
