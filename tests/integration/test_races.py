"""Two or three who want different things of a job at the same moment: one order of them happened, whichever."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from uuid import UUID

from dbrag.database.pool import Connection, connect
from dbrag.documents import endings, versions
from dbrag.documents.accept import accept
from dbrag.documents.model import Collection, Submission
from dbrag.errors import Conflict
from dbrag.jobs import claims, jobs
from dbrag.jobs.claims import ClaimLost
from dbrag.jobs.model import Claim, ItemStatus, Kind, Queue, Status
from dbrag.jobs.relay import Relay
from dbrag.jobs.settle import Outcome, settle
from dbrag.runtime import Runtime
from dbrag.settings import Settings

ROUNDS = 200
Act = Callable[[Connection, UUID], object]
FINAL = ["succeeded", "completed_with_errors", "failed", "cancelled"]


def submit(conn: Connection, collection: Collection, *names: str) -> UUID:
    with conn.transaction():
        items = [Submission(name, text=f"Text of {name}.") for name in names]
        return accept(conn, collection, Kind.INGEST_DOCUMENT, Queue.DEFAULT, items).id


def race(settings: Settings, ids: list[UUID], *actors: Act) -> list[tuple[bool, ...]]:
    """For each job, which of the actors did what they wanted, all of them having begun at once."""
    barrier = Barrier(len(actors))

    def run(act: Act) -> list[bool]:
        done: list[bool] = []
        with connect(settings, autocommit=True) as mine:
            for job_id in ids:
                barrier.wait()
                try:
                    with mine.transaction():
                        act(mine, job_id)
                    done.append(True)
                except (Conflict, ClaimLost):
                    done.append(False)
        return done

    with ThreadPoolExecutor(len(actors)) as pool:
        return list(zip(*pool.map(run, actors), strict=True))


def almost_over(conn: Connection, collection: Collection, number: int) -> UUID:
    """A job with one item that has failed, and one that is about to complete."""
    job_id = submit(conn, collection, f"{number}-failed", f"{number}-good")
    conn.execute("UPDATE jobs SET status = 'running', started_at = now(), publish_at = NULL WHERE id = %s", [job_id])
    failed = "SELECT id FROM document_versions WHERE job_id = %s AND item_index = 0"
    with conn.transaction():
        [(version_id,)] = conn.execute(failed, [job_id]).fetchall()
        settle(conn, versions.fail(conn, {version_id: {"code": "no", "detail": "no"}}))
    return job_id


def test_finish_retry_and_cancel_race_and_whoever_was_told_yes_is_right(
    conn: Connection, own_collection: Collection, settings: Settings
) -> None:
    tenant_id = own_collection.tenant_id
    ids = [almost_over(conn, own_collection, number) for number in range(ROUNDS)]
    told = race(
        settings,
        ids,
        lambda mine, job_id: settle(mine, [Outcome(job_id, 1, ItemStatus.COMPLETED)]),
        lambda mine, job_id: jobs.retry(mine, tenant_id, job_id),
        lambda mine, job_id: jobs.cancel(mine, tenant_id, job_id),
    )
    for job_id, (_, retried, cancelled) in zip(ids, told, strict=True):
        if cancelled:
            with conn.transaction():
                endings.cancel(conn, job_id)
        job = jobs.get(conn, tenant_id, job_id)
        expected = Status.QUEUED if retried else Status.COMPLETED_WITH_ERRORS
        assert job.status is (Status.CANCELLED if cancelled else expected)
        assert job.completed == 1, "the item that completed was not counted once"
        assert (job.failed, job.cancelled) == ((0, int(cancelled)) if retried else (1, 0))
        endings_ = "SELECT count(*) FROM job_events WHERE job_id = %s AND status = ANY(%s)"
        assert conn.execute(endings_, [job_id, FINAL]).fetchone() == (retried + job.status.is_final,)


def test_a_worker_that_renews_its_lease_and_a_relay_that_finds_it_expired_never_both_succeed(
    conn: Connection, own_collection: Collection, settings: Settings, runtime: Runtime
) -> None:
    relay = Relay(runtime.pool, runtime.broker, settings)
    for number in range(ROUNDS // 2):
        job_id = submit(conn, own_collection, str(number))
        claim = claims.take(conn, job_id, settings)
        assert claim
        conn.execute("UPDATE jobs SET lease_until = now() - interval '1 s' WHERE id = %s", [job_id])
        renew: Act = partial(renewed, claim, settings)
        [(was_renewed, _)] = race(settings, [job_id], renew, lambda *_: relay.free_expired_jobs())
        status = jobs.get(conn, own_collection.tenant_id, job_id).status
        assert status is (Status.RUNNING if was_renewed else Status.RETRYING)


def renewed(claim: Claim, settings: Settings, conn: Connection, _job_id: UUID) -> None:
    claims.renew(conn, claim, settings)
