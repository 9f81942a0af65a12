"""One attempt at a job: however it goes wrong, the job is tried again later or ends with the reason."""

from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import structlog
from billiard.exceptions import SoftTimeLimitExceeded  # pyright: ignore[reportMissingTypeStubs] - it has none

from dbrag.documents import endings
from dbrag.errors import DbragError, Permanent, Transient
from dbrag.jobs import claims, jobs
from dbrag.jobs.claims import ClaimLost
from dbrag.jobs.lease import Drained
from dbrag.jobs.model import Claim, Kind, Status
from dbrag.runtime import Runtime

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


# What a tenant reads; the traceback is in the worker's log under the job's id, since it may quote what is not theirs.
DEFECT = Permanent("a defect of dbrag; tell its operator this job's id", code="internal")


class AttemptFailed(Exception):
    """Tells the door that the attempt failed; `error` says why and whether the job is tried again.

    The job's row is written already.
    """

    def __init__(self, error: DbragError, *, tried_again: bool) -> None:
        super().__init__(error.detail)
        self.error = error
        self.tried_again = tried_again


def begin(runtime: Runtime, job_id: UUID) -> Claim | None:
    """Claims a job, which makes room for another one in its queue; None where it is not to be claimed."""
    with runtime.pool.connection() as conn:
        claim = claims.take(conn, job_id, runtime.settings)
    if claim is None:
        log.info("nothing to claim: the job is over, at work elsewhere, or not due", job_id=str(job_id))
        return None
    runtime.publisher.refill()
    return claim


@contextmanager
def attempt(runtime: Runtime, claim: Claim) -> Generator[None]:
    """Runs the work of a claimed job.

    A claim that was lost in between is nobody's fault: the work is left to whoever has it now. Where the process is to
    end the job is handed back, which is no attempt. A defect of ours fails the job at once, since trying again would
    fail the same way.

    Raises: AttemptFailed.
    """
    try:
        yield
    except ClaimLost:
        log.info("claim lost: the job was cancelled, or another worker has it", job_id=str(claim.id))
    except Drained:
        log.info("handed back: the worker is to end", job_id=str(claim.id))
        hand_back(runtime, claim)
    except DbragError as exc:
        _conclude(runtime, claim, exc, exc)
    except SoftTimeLimitExceeded as exc:
        _conclude(runtime, claim, Transient("the task took too long; another one goes on", code="time_limit"), exc)
    except psycopg.OperationalError as exc:
        _conclude(
            runtime,
            claim,
            Transient("the database failed; the worker's log says how", code="database_unavailable"),
            exc,
        )
    except Exception as exc:
        _conclude(runtime, claim, DEFECT, exc)


def hand_back(runtime: Runtime, claim: Claim) -> None:
    """Leaves the rest of the job to another worker, which is told."""
    with runtime.pool.connection() as conn:
        claims.hand_back(conn, claim, early=runtime.draining())
    runtime.publisher.poke()


def _conclude(runtime: Runtime, claim: Claim, error: DbragError, cause: Exception) -> None:
    try:
        with runtime.pool.connection() as conn:
            claims.renew(conn, claim, runtime.settings)
            if isinstance(cause, SoftTimeLimitExceeded) and claim.kind is not Kind.REBUILD_INDEX:
                claim = claims.isolate(conn, claim)  # one of its items may be what takes so long
            tried_again = claims.retry_later(conn, claim, error, runtime.settings)
        if not tried_again:
            with runtime.pool.connection() as conn:
                endings.fail(conn, claim.id, error, claim.claim_id)
    except ClaimLost:
        log.info("claim lost before its failure was written", job_id=str(claim.id), error=error.detail)
        return
    raise AttemptFailed(error, tried_again=tried_again) from cause


def report(runtime: Runtime, claim: Claim) -> dict[str, object]:
    """How the job stands after this attempt, for whoever looks at the task (Flower, logs).

    Raises: AttemptFailed where the job has ended as failed, so that the task does not look like a success.
    """
    with runtime.pool.connection() as conn:
        job = jobs.get(conn, claim.tenant_id, claim.id)
    if job.status is Status.FAILED:
        error = job.error or {}
        raise AttemptFailed(Permanent(str(error.get("detail")), code=error.get("code")), tried_again=False)
    return {"status": job.status.value, "completed": job.completed, "failed": job.failed, "total": job.total}
