"""Jobs that wait for something outside of them: held, with the reason, until it has passed."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.errors import DbragError
from dbrag.jobs.settle import lock

SQL = beside(__file__)


def begin(conn: Connection, job_ids: Collection[UUID], reason: DbragError, until: datetime) -> None:
    """Holds jobs; one that a worker still prepares goes on, since only its texts wait."""
    conn.execute(
        SQL.hold_jobs,
        {"ids": lock(conn, job_ids), "code": reason.code, "detail": reason.detail, "until": until},
    )


def end(conn: Connection, job_ids: Collection[UUID]) -> None:
    """Lets held jobs go on."""
    held = [row[0] for row in conn.execute(SQL.held_jobs, {"ids": list(job_ids)})]
    if held:
        conn.execute(SQL.unhold_jobs, {"ids": lock(conn, held)})
