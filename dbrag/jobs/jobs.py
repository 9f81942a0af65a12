"""What an owner may ask of jobs: see, list, cancel, retry."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import orjson
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.database.tenant import across_tenants
from dbrag.errors import Conflict, NotFound
from dbrag.jobs import line
from dbrag.jobs.model import EVERYTHING, Filters, Item, ItemStatus, Job, Kind, Queue, QueueReport, Status
from dbrag.jobs.settle import finish, lock

SQL = beside(__file__)
NONE: Mapping[str, Any] = {}


def create(
    conn: Connection,
    tenant_id: UUID,
    kind: Kind,
    queue: Queue,
    collection_id: int,
    *,
    generation_id: int,
    **params: Any,
) -> UUID:
    """Accepts a job whose steps its task finds out; it is published once the caller has committed."""
    job_id = uuid7()
    job = {"id": job_id, "tenant_id": tenant_id, "kind": kind, "queue": queue, "collection_id": collection_id}
    conn.execute(SQL.insert_job, job | {"generation_id": generation_id, "params": Jsonb(params)})
    return job_id


def create_with_items(
    conn: Connection,
    tenant_id: UUID,
    kind: Kind,
    queue: Queue,
    collection_id: int,
    items: Sequence[Item],
    size: int = 0,
    params: Mapping[str, Any] = NONE,
) -> Job:
    """Accepts a job with items of `size` bytes, queued, failed or skipped; where none is queued, it ends here."""
    statuses = Counter(item.status for item in items)
    wanted = {
        "id": uuid7(),
        "tenant_id": tenant_id,
        "kind": kind,
        "queue": queue,
        "collection_id": collection_id,
        "params": Jsonb(dict(params)),
        "total": len(items),
        "failed": statuses[ItemStatus.FAILED],
        "skipped": statuses[ItemStatus.SKIPPED],
        "bytes": size,
        "indexes": [item.index for item in items],
        "external_ids": [item.external_id for item in items],
        "statuses": [item.status.value for item in items],
        "errors": [item.error and orjson.dumps(item.error).decode() for item in items],
    }
    with conn.cursor(row_factory=class_row(Job)) as cursor:
        job = cursor.execute(SQL.insert_job_with_items, wanted).fetchone()
    assert job is not None
    if statuses[ItemStatus.QUEUED]:
        return job
    finish(conn, [job.id])
    return get(conn, tenant_id, job.id)


def get(conn: Connection, tenant_id: UUID, job_id: UUID, depth: int = 0) -> Job:
    """One job, its place in the queue counted to `depth`. Raises: NotFound, for another tenant's too."""
    if found := several(conn, [tenant_id], [job_id], depth):
        return found[0]
    raise NotFound(f"there is no job {job_id}")


def several(conn: Connection, tenant_ids: Collection[UUID], job_ids: Collection[UUID], depth: int = 0) -> list[Job]:
    """Those of the jobs that are of one of these tenants; places in a queue are counted to `depth`."""
    with conn.cursor(row_factory=class_row(Job)) as cursor:
        asked = {"ids": list(job_ids), "tenant_ids": list(tenant_ids)}
        found = cursor.execute(SQL.select_jobs, asked).fetchall()
    return line.with_positions(conn, found, depth)


def page(
    conn: Connection,
    tenant_id: UUID,
    filters: Filters = EVERYTHING,
    *,
    before: UUID | None = None,
    limit: int = 50,
) -> list[Job]:
    """Jobs that match and are older than `before`, newest first; without places in a queue, which cost a count."""
    with conn.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(
            SQL.select_page,
            asdict(filters) | {"tenant_id": tenant_id, "before": before, "limit": limit},
        ).fetchall()


def items(
    conn: Connection,
    tenant_id: UUID,
    job_id: UUID,
    *,
    status: ItemStatus | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Item]:
    """Items behind index `after`, in their order. Raises: NotFound."""
    get(conn, tenant_id, job_id)
    with conn.cursor(row_factory=class_row(Item)) as cursor:
        return cursor.execute(
            SQL.select_items,
            {"tenant_id": tenant_id, "job_id": job_id, "status": status, "after": after, "limit": limit},
        ).fetchall()


def cancel(conn: Connection, tenant_id: UUID, job_id: UUID) -> Job:
    """Stops a job: from the commit on, nothing more is claimed or paid for it; the relay ends it.

    A job that is being cancelled already stays so. Raises: NotFound; Conflict where the job is over.
    """
    conn.execute(SQL.begin_cancel, {"id": job_id, "tenant_id": tenant_id})
    job = get(conn, tenant_id, job_id)
    if job.status is not Status.CANCELLING:
        raise Conflict(f"job {job_id} is {job.status}: it is over and cannot be cancelled")
    return job


def retry(conn: Connection, tenant_id: UUID, job_id: UUID, code: str | None = None) -> Job:
    """Runs the failed items of a job that is over again, and only those; with `code`, those that failed with it.

    Raises: NotFound; Conflict where the job is not over, or where no failed item can be tried again.
    """
    job = get(conn, tenant_id, job_id)
    conn.execute(SQL.lock_failed_documents, {"job_id": job_id})
    lock(conn, [job_id])
    retried = conn.execute(SQL.retry_items, {"job_id": job_id, "code": code}).rowcount
    conn.execute(SQL.retry_versions, {"job_id": job_id})
    done = conn.execute(SQL.retry_job, {"id": job_id, "tenant_id": tenant_id, "items": retried}).rowcount
    if not (retried and done):
        raise Conflict(
            f"job {job_id} is {job.status} and has no failed item that could be tried again: send what is missing anew"
        )
    return get(conn, tenant_id, job_id)


def queues(conn: Connection, tenant_id: UUID) -> list[QueueReport]:
    """The three queues, most urgent first; whether one is served, the jobs of others tell, too."""
    with across_tenants(conn), conn.cursor(row_factory=class_row(QueueReport)) as cursor:
        return cursor.execute(
            SQL.queue_reports, {"tenant_id": tenant_id, "queues": [queue.value for queue in Queue]}
        ).fetchall()
