"""Items that are tried one at a time: what counts as a try, and who pays for the attempts."""

from uuid import UUID

import psycopg
import pytest
from billiard.exceptions import SoftTimeLimitExceeded  # pyright: ignore[reportMissingTypeStubs]

from dbrag.database.pool import Connection
from dbrag.documents import blocks, poison
from dbrag.documents.accept import accept
from dbrag.documents.attempt import AttemptFailed, attempt
from dbrag.documents.ingest import ingest
from dbrag.documents.model import Collection, Submission
from dbrag.errors import Transient
from dbrag.jobs import claims, jobs
from dbrag.jobs.claims import ClaimLost
from dbrag.jobs.model import Claim, Kind, Queue, Status
from dbrag.jobs.relay import Relay
from dbrag.runtime import Runtime
from dbrag.settings import Settings

NAMES = ["a", "b", "c"]


@pytest.fixture
def job_id(conn: Connection, own_collection: Collection) -> UUID:
    """A job of three documents."""
    with conn.transaction():
        items = [Submission(name, text=f"Text of {name}.") for name in NAMES]
        return accept(conn, own_collection, Kind.INGEST_DOCUMENT, Queue.DEFAULT, items).id


def take(conn: Connection, job_id: UUID, settings: Settings) -> Claim:
    claim = claims.take(conn, job_id, settings)
    assert claim
    return claim


def lose_worker(conn: Connection, job_id: UUID, runtime: Runtime, attempt: int | None = None) -> None:
    """As if whoever has the claim had died a lease ago, in this attempt."""
    conn.execute(
        "UPDATE jobs SET lease_until = now() - interval '1 second', attempt = coalesce(%s, attempt) WHERE id = %s",
        [attempt, job_id],
    )
    relay = Relay(runtime.pool, runtime.broker, runtime.settings)
    relay.free_expired_jobs()
    relay.fail_exhausted_jobs()


def tries(conn: Connection, job_id: UUID) -> list[int]:
    rows = conn.execute("SELECT tries FROM job_items WHERE job_id = %s ORDER BY index", [job_id])
    return [row[0] for row in rows]


def first_source(conn: Connection, claim: Claim) -> blocks.Source:
    return blocks.next_block(conn, claim, max_items=1, max_bytes=1)[0]


def test_a_job_is_isolated_once_it_has_lost_a_worker_and_not_before(
    conn: Connection, job_id: UUID, runtime: Runtime, settings: Settings
) -> None:
    claim = take(conn, job_id, settings)
    assert not claim.isolates
    claims.hand_back(conn, claim)
    assert not take(conn, job_id, settings).isolates
    lose_worker(conn, job_id, runtime)
    assert take(conn, job_id, settings).isolates


def test_items_that_were_tried_least_come_first(
    conn: Connection, job_id: UUID, runtime: Runtime, settings: Settings
) -> None:
    conn.execute("UPDATE job_items SET tries = 2 - index WHERE job_id = %s", [job_id])
    claim = take(conn, job_id, settings)
    sources = blocks.next_block(conn, claim, max_items=10, max_bytes=10_000)
    assert [(source.item_index, source.tries) for source in sources] == [(2, 0), (1, 1), (0, 2)]


def test_an_item_that_was_tried_often_enough_fails_as_poison_and_the_others_are_split(
    conn: Connection, own_collection: Collection, job_id: UUID, runtime: Runtime, settings: Settings
) -> None:
    take(conn, job_id, settings)
    lose_worker(conn, job_id, runtime)
    conn.execute("UPDATE job_items SET tries = %s WHERE job_id = %s AND index = 1", [poison.TRIES, job_id])
    ingest(runtime, job_id)
    found = jobs.items(conn, own_collection.tenant_id, job_id)
    assert [item.status.value for item in found] == ["embedding", "failed", "embedding"]
    assert found[1].error
    assert found[1].error["code"] == "poison"
    assert tries(conn, job_id) == [1, poison.TRIES, 1]


def test_a_first_attempt_counts_no_tries(conn: Connection, job_id: UUID, runtime: Runtime) -> None:
    ingest(runtime, job_id)
    assert tries(conn, job_id) == [0, 0, 0]


@pytest.mark.parametrize(
    ("failure", "counted"),
    [
        (psycopg.OperationalError("the database went away"), 0),
        (Transient("a segment was sealed in between"), 0),
        (SoftTimeLimitExceeded(), 1),
    ],
)
def test_only_what_the_item_did_itself_counts_as_a_try(
    conn: Connection, job_id: UUID, runtime: Runtime, settings: Settings, failure: Exception, counted: int
) -> None:
    claim = take(conn, job_id, settings)
    source = first_source(conn, claim)

    def work() -> None:
        with poison.trial(runtime, claim, source):
            assert tries(conn, job_id) == [1, 0, 0], "committed before it is touched"
            raise failure

    with pytest.raises(type(failure)):
        work()
    assert tries(conn, job_id) == [counted, 0, 0]


def test_who_has_lost_the_claim_begins_no_trial(
    conn: Connection, job_id: UUID, runtime: Runtime, settings: Settings
) -> None:
    claim = take(conn, job_id, settings)
    source = first_source(conn, claim)
    lose_worker(conn, job_id, runtime)
    with pytest.raises(ClaimLost), poison.trial(runtime, claim, source):
        pytest.fail("it must not begin")
    assert tries(conn, job_id) == [0, 0, 0]


def test_running_over_the_time_limit_isolates_too(
    conn: Connection, own_collection: Collection, job_id: UUID, runtime: Runtime, settings: Settings
) -> None:
    conn.execute("UPDATE jobs SET attempt = %s WHERE id = %s", [settings.max_attempts - 1, job_id])
    claim = take(conn, job_id, settings)
    with pytest.raises(AttemptFailed) as failed, attempt(runtime, claim):
        raise SoftTimeLimitExceeded
    assert failed.value.tried_again
    conn.execute("UPDATE jobs SET reason_until = now() WHERE id = %s", [job_id])
    assert take(conn, job_id, settings).isolates


def test_deaths_in_isolation_do_not_use_up_the_job_but_are_bounded(
    conn: Connection, own_collection: Collection, job_id: UUID, runtime: Runtime, settings: Settings
) -> None:
    allowed = claims.ISOLATED_ATTEMPTS * settings.max_attempts
    for last in (settings.max_attempts, allowed - 1):
        take(conn, job_id, settings)
        lose_worker(conn, job_id, runtime, last)
        assert jobs.get(conn, own_collection.tenant_id, job_id).status is Status.RETRYING
    assert take(conn, job_id, settings).attempt == allowed
    lose_worker(conn, job_id, runtime)
    job = jobs.get(conn, own_collection.tenant_id, job_id)
    assert (job.status, job.error and job.error["code"]) == (Status.FAILED, "worker_lost")


def test_a_retry_begins_with_no_tries(
    conn: Connection, own_collection: Collection, job_id: UUID, runtime: Runtime, settings: Settings
) -> None:
    conn.execute("UPDATE job_items SET tries = %s WHERE job_id = %s", [poison.TRIES, job_id])
    with pytest.raises(AttemptFailed):
        ingest(runtime, job_id)
    with conn.transaction():
        jobs.retry(conn, own_collection.tenant_id, job_id)
    assert tries(conn, job_id) == [0, 0, 0]
    ingest(runtime, job_id)
    assert {item.status.value for item in jobs.items(conn, own_collection.tenant_id, job_id)} == {"embedding"}
