"""Jobs that end before their work is done: failed for good, or cancelled."""

from uuid import UUID

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.documents import versions
from dbrag.errors import DbragError
from dbrag.jobs import claims
from dbrag.jobs.model import ItemStatus
from dbrag.jobs.settle import settle_all

SQL = beside(__file__)


def fail(conn: Connection, job_id: UUID, error: DbragError, claim_id: UUID | None = None) -> None:
    """Fails what is left of a job; its versions are kept for a retry.

    Raises: ClaimLost where that claim was lost (None: nobody has one); the transaction must then be rolled back.
    """
    reason = {"code": error.code, "detail": error.detail}
    waiting = [row[0] for row in conn.execute(SQL.waiting_versions_of_job, {"job_id": job_id})]
    versions.lock(conn, waiting)
    versions.fail(conn, dict.fromkeys(waiting, reason))
    if claim_id:
        claims.hold_on(conn, job_id, claim_id)
    settle_all(conn, job_id, ItemStatus.FAILED, reason)


def cancel(conn: Connection, job_id: UUID) -> None:
    """Ends a job that is being cancelled: nothing of what was not live yet remains."""
    document_ids = versions.lock(conn, _dead(conn, job_id))
    versions.drop(conn, _dead(conn, job_id))
    conn.execute(SQL.delete_bare_documents, {"ids": document_ids})
    settle_all(conn, job_id, ItemStatus.CANCELLED)


def _dead(conn: Connection, job_id: UUID) -> list[int]:
    """The job's versions that are not live, and will not be."""
    return [row[0] for row in conn.execute(SQL.dead_versions_of_job, {"job_id": job_id})]
