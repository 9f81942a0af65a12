"""Where jobs that wait for a worker stand in the lines of their queues."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.database.tenant import across_tenants
from dbrag.jobs.model import Job, Status

SQL = beside(__file__, "line.sql")
# Nobody counts further; the database needs some 15 ms for so many, and 1 ms where few wait.
DEPTH = 10_000


def with_positions(conn: Connection, jobs: Sequence[Job], depth: int) -> list[Job]:
    """The same jobs, those that wait with their `queue_position`, unless more than `depth` of their tenant's precede.

    It is the place as things stand: what others send later may come before, since tenants take turns.
    """
    waiting = [job.id for job in jobs if _may_wait(job)]
    if not (waiting and depth):
        return list(jobs)
    with across_tenants(conn):
        found: dict[UUID, int] = dict(conn.execute(SQL.positions, {"ids": waiting, "depth": depth}).fetchall())
    return [replace(job, queue_position=found.get(job.id)) for job in jobs]


def _may_wait(job: Job) -> bool:
    return job.status in (Status.QUEUED, Status.RETRYING) or job.reason_code == "no_consumer"
