"""Moving a job that is not over to another queue, with those of its texts that wait."""

from uuid import UUID

from dbrag.database.pool import Connection, Pool
from dbrag.database.queries import beside
from dbrag.database.tenant import as_tenant
from dbrag.errors import Conflict
from dbrag.jobs import jobs
from dbrag.jobs.model import Job, Kind, Queue, Status

SQL = beside(__file__)
# Documents whose texts are moved in one statement: with some 6,500 chunks each at most, a fraction of a second.
SLICE = 20


def reprioritise(pool: Pool, tenant_id: UUID, job_id: UUID, queue: Queue) -> Job:
    """Has the rest of a job done at the priority of `queue`; where that is its queue already, nothing changes.

    The job goes first, so that whoever splits it writes the next texts for the new queue, or moves them when done. Its
    texts follow in short transactions: a lock on a million of them would keep them all from being embedded meanwhile.
    Raises: NotFound; Conflict where the job is over or being cancelled, or is an index's.
    """
    with as_tenant(pool, tenant_id) as conn:
        conn.execute(SQL.move_job, {"id": job_id, "tenant_id": tenant_id, "queue": queue})
        job = jobs.get(conn, tenant_id, job_id)
    if job.status.is_final or job.status is Status.CANCELLING:
        raise Conflict(f"job {job_id} is {job.status}: it cannot be moved any more")
    if job.kind is Kind.REBUILD_INDEX and job.queue is not queue:
        raise Conflict(f"job {job_id} builds an index, which takes long: that is done in the queue {job.queue} only")
    for ids in _slices(pool, tenant_id, job_id):
        with as_tenant(pool, tenant_id) as conn:
            _move(conn, job_id, queue, ids)
    return job


def move_texts(conn: Connection, job_id: UUID, queue: Queue) -> None:
    """Gives the texts of a job that wait the priority of `queue`, if that is still the job's."""
    versions = [row[0] for row in conn.execute(SQL.versions_to_move, {"job_id": job_id})]
    _move(conn, job_id, queue, versions)


def _slices(pool: Pool, tenant_id: UUID, job_id: UUID) -> list[list[int]]:
    with as_tenant(pool, tenant_id) as conn:
        versions = [row[0] for row in conn.execute(SQL.versions_to_move, {"job_id": job_id})]
    return [versions[start : start + SLICE] for start in range(0, len(versions), SLICE)]


def _move(conn: Connection, job_id: UUID, queue: Queue, version_ids: list[int]) -> None:
    conn.execute(SQL.move_texts, {"job_id": job_id, "queue": queue, "rank": queue.rank, "version_ids": version_ids})
