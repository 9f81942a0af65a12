"""The right to work on a job: taken, renewed, given back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.errors import DbragError
from dbrag.jobs import moves
from dbrag.jobs.model import Claim, Queue
from dbrag.jobs.retry import delay_s
from dbrag.settings import Settings

SQL = beside(__file__)
# A job whose items are tried one at a time has so many times as many attempts: an item that kills its worker uses up
# three of them, and is to fail alone. It also stands in expired_jobs and exhausted_jobs (relay.sql).
ISOLATED_ATTEMPTS = 4


class ClaimLost(Exception):
    """The job was cancelled, or its lease ran out and another worker has it: stop, and write nothing more."""


def take(conn: Connection, job_id: UUID, settings: Settings) -> Claim | None:
    """Claims a job that waits; None where it is over, at work elsewhere, or not yet due."""
    with conn.cursor(row_factory=class_row(Claim)) as cursor:
        cursor.execute(SQL.claim_job, {"id": job_id, "claim_id": uuid4(), "lease_s": settings.lease_s})
        return cursor.fetchone()


def renew(
    conn: Connection, claim: Claim, settings: Settings, *, prepared: int = 0, chunks: int = 0, chunks_done: int = 0
) -> None:
    """Extends the lease and counts what was done, in the transaction that did it.

    Raises: ClaimLost; the caller's transaction must then be rolled back.
    """
    renewed = conn.execute(
        SQL.renew_claim,
        {
            "id": claim.id,
            "claim_id": claim.claim_id,
            "lease_s": settings.lease_s,
            "prepared": prepared,
            "chunks": chunks,
            "chunks_done": chunks_done,
        },
    ).fetchone()
    if renewed is None:
        raise ClaimLost(claim.id)


def hold_on(conn: Connection, job_id: UUID, claim_id: UUID) -> None:
    """Makes sure that nobody takes the claim before the transaction ends.

    Raises: ClaimLost; the transaction must then be rolled back.
    """
    if conn.execute(SQL.still_claimed, {"id": job_id, "claim_id": claim_id}).fetchone() is None:
        raise ClaimLost(job_id)


def release(conn: Connection, claim: Claim) -> None:
    """The claimant's part is done; the job goes on without it."""
    _follow(conn, claim, conn.execute(SQL.release_claim, {"id": claim.id, "claim_id": claim.claim_id}).fetchone())


def hand_back(conn: Connection, claim: Claim, *, early: bool = False) -> None:
    """The claimant's time is up: the job is published again and goes on where it stopped.

    It waits behind its tenant's other jobs, unless the claimant ends before its time (`early`).
    """
    claimed = {"id": claim.id, "claim_id": claim.claim_id, "early": early}
    _follow(conn, claim, conn.execute(SQL.hand_back, claimed).fetchone())


def _follow(conn: Connection, claim: Claim, row: tuple[str] | None) -> None:
    """The job was moved to another queue while the claimant wrote texts for the old one: they follow it."""
    if row and row[0] != claim.queue:
        moves.move_texts(conn, claim.id, Queue(row[0]))


def put_off(conn: Connection, claim: Claim, code: str, detail: str, delay_s: float) -> None:
    """The job waits for something, with the reason, and is looked at again after `delay_s`; that is no attempt."""
    conn.execute(
        SQL.put_off,
        {"id": claim.id, "claim_id": claim.claim_id, "code": code, "detail": detail, "delay_s": delay_s},
    )


def remember(conn: Connection, claim: Claim, params: Mapping[str, Any]) -> None:
    """Leaves word in the job's parameters for whoever claims it next."""
    conn.execute(SQL.remember, {"id": claim.id, "claim_id": claim.claim_id, "params": Jsonb(params)})


def isolate(conn: Connection, claim: Claim) -> Claim:
    """From now on the job's items are tried one at a time; returns the claim that knows it."""
    remember(conn, claim, {"isolate": True})
    return replace(claim, params=claim.params | {"isolate": True})


def retry_later(conn: Connection, claim: Claim, error: DbragError, settings: Settings) -> bool:
    """Puts the job off where trying again helps and attempts remain; False where it has failed for good."""
    attempts = settings.max_attempts * (ISOLATED_ATTEMPTS if claim.isolates else 1)
    if not error.retryable or claim.attempt >= attempts:
        return False
    conn.execute(
        SQL.retry_later,
        {
            "id": claim.id,
            "claim_id": claim.claim_id,
            "code": error.code,
            "detail": error.detail,
            "delay_s": error.retry_after_s or delay_s(claim.attempt),
        },
    )
    return True


def set_steps(conn: Connection, claim: Claim, steps: int) -> None:
    """Says how many steps a job without items has; those of earlier attempts stay counted."""
    conn.execute(SQL.set_total, {"id": claim.id, "claim_id": claim.claim_id, "steps": steps})


def count_step(conn: Connection, claim: Claim) -> None:
    """One more step is done."""
    conn.execute(SQL.count_steps, {"id": claim.id, "claim_id": claim.claim_id, "completed": 1})


def begin_step(conn: Connection, claim: Claim, *, done: int, steps: int, rows: int) -> None:
    """`done` more steps are done, `steps` remain, the first of which is of so many rows."""
    counts = {"done": done, "steps": steps, "rows": rows}
    conn.execute(SQL.begin_step, {"id": claim.id, "claim_id": claim.claim_id} | counts)


def note(conn: Connection, claim: Claim, result: Mapping[str, Any]) -> None:
    """Adds to what the job's `result` will say, however it ends."""
    conn.execute(SQL.note_result, {"id": claim.id, "claim_id": claim.claim_id, "result": Jsonb(result)})
