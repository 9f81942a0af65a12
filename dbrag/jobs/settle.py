"""How items and jobs end: each once, in the transaction of what ended them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import UUID

import orjson
from prometheus_client import Counter, Histogram
from psycopg.types.json import Jsonb

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.jobs.model import ItemStatus, Kind, Queue, Status

SQL = beside(__file__)
# Counted in the transaction: one that is rolled back, and done again, counts twice. That is rare.
ENDED = Counter("dbrag_jobs_ended", "Jobs that ended, by how.", ["kind", "queue", "status"])
SECONDS = Histogram(
    "dbrag_job_seconds",
    "Time from accepting a job to its end; its documents can be found then.",
    ["kind", "queue"],
    buckets=(0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400),
)

for _kind, _queue, _status in product(Kind, Queue, filter(lambda status: status.is_final, Status)):
    ENDED.labels(_kind, _queue, _status)  # so that it is there with 0 before it happens


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one item ended; `cached`: no text of it had to be paid for."""

    job_id: UUID
    index: int
    status: ItemStatus
    error: dict[str, Any] | None = None
    cached: bool = False


def settle(conn: Connection, outcomes: Sequence[Outcome]) -> None:
    """Ends items, counts them on their jobs, and ends the jobs that have none left.

    The caller's transaction has already locked what it needs of documents: jobs come last in the order of locks.
    """
    if not outcomes:
        return
    job_ids = lock(conn, {outcome.job_id for outcome in outcomes})
    conn.execute(
        SQL.settle_items,
        {
            "job_ids": [outcome.job_id for outcome in outcomes],
            "indexes": [outcome.index for outcome in outcomes],
            "statuses": [outcome.status.value for outcome in outcomes],
            "errors": [outcome.error and orjson.dumps(outcome.error).decode() for outcome in outcomes],
            "cached": [outcome.cached for outcome in outcomes],
        },
    )
    finish(conn, job_ids)


def settle_all(conn: Connection, job_id: UUID, status: ItemStatus, error: dict[str, Any] | None = None) -> None:
    """Ends a job, and whatever of it is not final yet, as `failed` (with this error) or as `cancelled`."""
    lock(conn, [job_id])
    outcome = {"job_id": job_id, "status": status, "error": error and Jsonb(error)}
    conn.execute(SQL.settle_all_items, outcome)
    conn.execute(SQL.count_the_rest, outcome)
    finish(conn, [job_id], cancelled=status is ItemStatus.CANCELLED)


def lock(conn: Connection, job_ids: Collection[UUID]) -> list[UUID]:
    """Locks jobs in the order of their ids, so that two who need the same ones cannot wait for each other."""
    return [row[0] for row in conn.execute(SQL.lock_jobs, {"ids": sorted(job_ids)})]


def finish(conn: Connection, job_ids: Sequence[UUID], *, cancelled: bool = False) -> None:
    """Ends those of the jobs whose items are all final; the others are not touched.

    Those that are being cancelled only for who has dropped what they leave (`cancelled`), and no others then.
    """
    for row in conn.execute(SQL.finish_jobs, {"ids": list(job_ids), "cancelled": cancelled}):
        kind, queue, status, seconds = row
        ENDED.labels(kind, queue, status).inc()
        SECONDS.labels(kind, queue).observe(seconds)


def cancel_collection(conn: Connection, collection_id: int) -> None:
    """Begins to cancel every job of a collection that is being deleted; the relay ends them."""
    conn.execute(SQL.cancel_jobs_of_collection, {"collection_id": collection_id})
