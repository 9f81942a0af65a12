"""A job's life: claimed once, ended once, and never in a state that the schema forbids."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID, uuid4

import psycopg
import pytest

from dbrag.database.pool import Connection, connect
from dbrag.documents import endings
from dbrag.documents.accept import accept
from dbrag.documents.model import Collection, Refusal, Submission
from dbrag.errors import Conflict, Permanent, Transient
from dbrag.jobs import claims, jobs
from dbrag.jobs.claims import ClaimLost
from dbrag.jobs.model import ItemStatus, Kind, Queue, Status
from dbrag.jobs.settle import Outcome, settle
from dbrag.settings import Settings


def submit(conn: Connection, collection: Collection, *names: str) -> UUID:
    with conn.transaction():
        items = [Submission(name, text=f"Text of {name}.") for name in names]
        return accept(conn, collection, Kind.INGEST_DOCUMENT, Queue.DEFAULT, items).id


def test_a_job_is_claimed_by_one_worker(conn: Connection, own_collection: Collection, settings: Settings) -> None:
    job_id = submit(conn, own_collection, "a")

    def take() -> bool:
        with connect(settings) as other:
            return claims.take(other, job_id, settings) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(lambda _: take(), range(8))) == [False] * 7 + [True]


def test_who_has_lost_a_claim_can_write_nothing(
    conn: Connection, own_collection: Collection, settings: Settings
) -> None:
    job_id = submit(conn, own_collection, "a")
    claim = claims.take(conn, job_id, settings)
    assert claim is not None
    conn.execute("UPDATE jobs SET claim_id = %s WHERE id = %s", [uuid4(), job_id])
    with pytest.raises(ClaimLost):
        claims.renew(conn, claim, settings)
    claims.release(conn, claim)
    claims.hand_back(conn, claim)
    assert claims.retry_later(conn, claim, Transient("late"), settings)
    assert jobs.get(conn, own_collection.tenant_id, job_id).status is Status.RUNNING


def test_a_passing_failure_is_tried_again_until_the_attempts_are_used_up(
    conn: Connection, own_collection: Collection, settings: Settings
) -> None:
    job_id = submit(conn, own_collection, "a")
    for attempt in range(1, settings.max_attempts + 1):
        claim = claims.take(conn, job_id, settings)
        assert claim is not None
        assert claim.attempt == attempt
        assert claims.take(conn, job_id, settings) is None
        assert claims.retry_later(conn, claim, Transient("x"), settings) is (attempt < settings.max_attempts)
        conn.execute("UPDATE jobs SET reason_until = now() WHERE id = %s", [job_id])


def test_work_continued_in_slices_is_one_attempt(
    conn: Connection, own_collection: Collection, settings: Settings
) -> None:
    job_id = submit(conn, own_collection, "a")
    for _ in range(3):
        claim = claims.take(conn, job_id, settings)
        assert claim is not None
        assert claim.attempt == 1
        claims.hand_back(conn, claim)


def test_finish_and_cancel_race_and_one_of_them_wins(
    conn: Connection, own_collection: Collection, settings: Settings
) -> None:
    """Final states are final, and a job that was cancelled never becomes succeeded."""
    tenant_id = own_collection.tenant_id
    rounds = 1000
    ids = [submit(conn, own_collection, f"race-{n}") for n in range(rounds)]
    conn.execute("UPDATE jobs SET status = 'running', started_at = now() WHERE id = ANY(%s)", [ids])
    barrier = Barrier(2)

    def finish() -> None:
        with connect(settings, autocommit=True) as mine:
            for job_id in ids:
                barrier.wait()
                with mine.transaction():
                    settle(mine, [Outcome(job_id, 0, ItemStatus.COMPLETED)])

    def cancel() -> list[bool]:
        accepted: list[bool] = []
        with connect(settings, autocommit=True) as mine:
            for job_id in ids:
                barrier.wait()
                try:
                    with mine.transaction():
                        jobs.cancel(mine, tenant_id, job_id)
                    accepted.append(True)
                except Conflict:
                    accepted.append(False)
        return accepted

    with ThreadPoolExecutor(2) as pool:
        finishing, cancelling = pool.submit(finish), pool.submit(cancel)
        finishing.result()
        accepted = cancelling.result()
    for job_id, was_accepted in zip(ids, accepted, strict=True):
        if was_accepted:
            with conn.transaction():
                endings.cancel(conn, job_id)
        job = jobs.get(conn, tenant_id, job_id)
        assert job.status is (Status.CANCELLED if was_accepted else Status.SUCCEEDED)
        finals = conn.execute(
            "SELECT count(*) FROM job_events WHERE job_id = %s AND status = ANY(%s)",
            [job_id, ["succeeded", "cancelled"]],
        ).fetchone()
        assert finals == (1,)


def test_a_job_whose_items_were_all_refused_is_over_when_it_is_accepted(
    conn: Connection, own_collection: Collection
) -> None:
    with conn.transaction():
        items = [Refusal("a", "blank_text", "no text"), Refusal("b", "blank_text", "no text")]
        job = accept(conn, own_collection, Kind.INGEST_DOCUMENT, Queue.DEFAULT, items)
    assert (job.status, job.failed, job.total) == (Status.FAILED, 2, 2)
    with pytest.raises(Conflict):
        jobs.retry(conn, own_collection.tenant_id, job.id)


def test_a_failed_job_keeps_its_documents_for_a_retry(conn: Connection, own_collection: Collection) -> None:
    job_id = submit(conn, own_collection, "a", "b")
    with conn.transaction():
        endings.fail(conn, job_id, Permanent("no", code="nope"))
    job = jobs.get(conn, own_collection.tenant_id, job_id)
    assert (job.status, job.error, job.failed) == (Status.FAILED, {"code": "nope", "detail": "no"}, 2)
    job = jobs.retry(conn, own_collection.tenant_id, job_id)
    assert (job.status, job.failed, job.attempt, job.finished_at) == (Status.QUEUED, 0, 0, None)


@pytest.mark.parametrize(
    "impossible",
    [
        "status = 'succeeded'",
        "finished_at = now()",
        "status = 'running'",
        "status = 'held', started_at = now()",
        "claim_id = gen_random_uuid()",
        "completed = 2",
        "status = 'succeeded', finished_at = now(), publish_at = NULL, started_at = now()",
        "status = 'lost'",
    ],
)
def test_the_schema_forbids_the_impossible_row(conn: Connection, own_collection: Collection, impossible: str) -> None:
    job_id = submit(conn, own_collection, "a")
    with pytest.raises(psycopg.errors.CheckViolation):
        conn.execute(f"UPDATE jobs SET {impossible} WHERE id = %s".encode(), [job_id])


def test_a_final_status_is_final(conn: Connection, own_collection: Collection) -> None:
    job_id = submit(conn, own_collection, "a")
    with conn.transaction():
        settle(conn, [Outcome(job_id, 0, ItemStatus.COMPLETED)])
    with pytest.raises(psycopg.errors.CheckViolation, match="which is final"):
        conn.execute("UPDATE jobs SET status = 'cancelled' WHERE id = %s", [job_id])
