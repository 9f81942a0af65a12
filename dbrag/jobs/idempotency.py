"""Requests that may be sent again: each makes one job, and gets its first answer again for a day.

The answer is stored in the job's own transaction: there is no moment at which one of them is there without the other.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from dbrag.database.pool import Connection, Pool
from dbrag.database.queries import beside
from dbrag.errors import InFlight, Invalid

SQL = beside(__file__, "idempotency.sql")
HOURS = 24
# Answers removed in one transaction, and transactions in one call; beat calls again.
SLICE, SLICES = 5_000, 100


@dataclass(frozen=True, slots=True)
class Request:
    """A request to which its sender gave a key: `route` and `key` name it, `content` is the SHA-256 of what it asks."""

    tenant_id: UUID
    route: str
    key: str
    content: bytes

    @property
    def id(self) -> bytes:
        return sha256("\n".join((str(self.tenant_id), self.route, self.key)).encode()).digest()


class First(NamedTuple):
    """How the request was answered when it came first: the job, and the body as JSON."""

    job_id: UUID
    answer: str


def begin(conn: Connection, request: Request) -> First | None:
    """The first answer, or None where this is the first time; then nobody else begins with it before the commit.

    Raises: InFlight where somebody has begun with it; Invalid where the key was used for something else.
    """
    lock = int.from_bytes(request.id[:8], signed=True)
    if conn.execute(SQL.begin_once, {"lock": lock}).fetchone() != (True,):
        raise InFlight("the first request with this Idempotency-Key is still being answered", retry_after_s=1)
    row = conn.execute(SQL.first_answer, {"id": request.id, "hours": HOURS}).fetchone()
    if row is None:
        return None
    content, job_id, answer = row
    if content != request.content:
        raise Invalid(
            f"this Idempotency-Key was used for another request (job {job_id}): give each request a key of its own",
            code="idempotency_key_reused",
        )
    return First(job_id, answer)


def keep(conn: Connection, request: Request, first: First) -> None:
    """Stores the answer with the job."""
    conn.execute(
        SQL.keep_answer,
        {"id": request.id, "tenant_id": request.tenant_id, "request": request.content} | first._asdict(),
    )


def forget_old(pool: Pool) -> int:
    """Removes answers that are too old to be given again; returns how many."""
    removed = 0
    for _ in range(SLICES):
        with pool.connection() as conn:
            slice_ = conn.execute(SQL.forget_answers, {"hours": HOURS, "limit": SLICE}).rowcount
        removed += slice_
        if slice_ < SLICE:
            break
    return removed
