"""Jobs that failed, tried again by filter: a dead letter is a job with a reason, not an entry of a list."""

from dataclasses import asdict
from typing import NamedTuple
from uuid import UUID

from dbrag.database.pool import Pool
from dbrag.database.queries import beside
from dbrag.database.tenant import as_tenant
from dbrag.errors import Conflict, NotFound
from dbrag.jobs import jobs
from dbrag.jobs.model import Filters, Job

SQL = beside(__file__)


class Retried(NamedTuple):
    """The jobs that wait again, how many somebody else was faster with, and the last one where more match."""

    jobs: list[Job]
    skipped: int
    next_after: UUID | None


def retry_matching(pool: Pool, tenant_id: UUID, filters: Filters, limit: int, after: UUID | None = None) -> Retried:
    """Tries the failed items of `limit` jobs at most behind `after` again, oldest first, each in its own transaction.

    With a `code`, only items that failed with it. What cannot be tried again matches nothing.
    """
    with as_tenant(pool, tenant_id) as conn:
        wanted = asdict(filters) | {"tenant_id": tenant_id, "after": after, "limit": limit + 1}
        found: list[UUID] = [row[0] for row in conn.execute(SQL.retryable_jobs, wanted)]
    retried: list[Job] = []
    for job_id in found[:limit]:
        try:
            with as_tenant(pool, tenant_id) as conn:
                retried.append(jobs.retry(conn, tenant_id, job_id, filters.code))
        except (Conflict, NotFound):  # somebody else has just retried it
            continue
    next_after = found[limit - 1] if len(found) > limit else None
    return Retried(retried, len(found[:limit]) - len(retried), next_after)
