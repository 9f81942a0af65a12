"""The work of `ingest_document` and `batch_embed`: splits a job's items until they wait for vectors."""

from collections.abc import Callable
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from billiard.exceptions import SoftTimeLimitExceeded  # pyright: ignore[reportMissingTypeStubs] - it has none

from dbrag.documents import blocks, collections, prepare
from dbrag.documents.attempt import DEFECT, attempt, report
from dbrag.documents.model import Collection
from dbrag.errors import Permanent
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
    with runtime.pool.connection() as conn:
        claim = claims.take(conn, job_id, runtime.settings)
    if claim is None:
        log.info("nothing to claim: the job is over, at work elsewhere, or not due", job_id=str(job_id))
        return {"claimed": False}
    runtime.publisher.refill()
    with attempt(runtime, claim):
        _split_all(runtime, claim, on_waiting)
    return report(runtime, claim)


def _split_all(runtime: Runtime, claim: Claim, on_waiting: Callable[[], None]) -> None:
    deadline = monotonic() + SLICE * runtime.settings.lease_s
    with runtime.pool.connection() as conn:
        collection = collections.by_id(conn, claim.collection_id) if claim.collection_id else None
    if collection is None:
        raise Permanent("its collection has been deleted", code="collection_deleted")
    while monotonic() < deadline:
        with runtime.pool.connection() as conn:
            if not blocks.adopt_unchanged(conn, claim, runtime.settings, BLOCK_ITEMS):
                break
    while monotonic() < deadline:
        if not _split_block(runtime, claim, collection, deadline, on_waiting):
            with runtime.pool.connection() as conn:
                claims.release(conn, claim)
            return
    with runtime.pool.connection() as conn:
        claims.hand_back(conn, claim)
    runtime.publisher.poke()


def _split_block(
    runtime: Runtime, claim: Claim, collection: Collection, deadline: float, on_waiting: Callable[[], None]
) -> bool:
    """Takes the next items through to the pending table; False where there are none left."""
    with runtime.pool.connection() as conn:
        sources = blocks.next_block(conn, claim, max_items=BLOCK_ITEMS, max_bytes=BLOCK_BYTES)
    splitter = (
        prepare.whole_texts(runtime.settings.model_max_tokens(collection.model))
        if claim.kind is Kind.BATCH_EMBED
        else prepare.documents(collection.chunking)
    )
    prepared: list[prepare.Prepared] = []
    failures: dict[int, dict[str, Any]] = {}
    for source in sources:
        try:
            prepared.append(prepare.prepare(source, runtime.extractor, splitter))
        except SoftTimeLimitExceeded:
            raise
        except Exception as exc:
            # A defect that one document meets must not fail the others of its batch; it is logged with its traceback.
            error = exc if isinstance(exc, Permanent) else DEFECT
            if error is DEFECT:
                log.exception("a defect met by one document", job_id=str(claim.id), index=source.item_index)
            failures[source.version_id] = {"code": error.code, "detail": error.detail}
        if monotonic() > deadline:
            break
    if sources:
        with runtime.pool.connection() as conn:
            waits = blocks.store(conn, claim, collection, prepared, failures, runtime.settings)
        if waits:
            on_waiting()
            runtime.wake(claim.queue)
    return bool(sources)
