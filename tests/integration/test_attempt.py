"""An attempt that loses the database: its job is left so that it goes on."""

from collections.abc import Iterator
from time import monotonic, sleep
from uuid import UUID

import psycopg
import pytest

from dbrag.accounts import keys
from dbrag.database import migrate
from dbrag.database.pool import connect
from dbrag.devstack.servers import Servers
from dbrag.documents import collections
from dbrag.documents.accept import accept
from dbrag.documents.attempt import AttemptFailed, attempt
from dbrag.documents.model import CollectionWish, Submission
from dbrag.jobs import claims, jobs
from dbrag.jobs.model import Claim, Job, Kind, Queue, Status
from dbrag.jobs.relay import Relay
from dbrag.runtime import Runtime, open_runtime
from dbrag.settings import Settings


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers of one's own, since they are killed."""
    with Servers.start(tmp_path_factory.mktemp("mortal")) as servers:
        yield servers


@pytest.fixture
def own_runtime(mortal: Servers) -> Iterator[Runtime]:
    settings = Settings.model_validate(mortal.env | {"lease_s": 5})
    migrate.upgrade(settings)
    runtime = open_runtime(settings)
    yield runtime
    runtime.close()


@pytest.fixture
def claim(own_runtime: Runtime) -> Claim:
    """Of a job with one document."""
    settings = own_runtime.settings
    with connect(settings) as conn:
        tenant_id = keys.authenticate(conn, keys.create(conn, "mortal", "test", [])).tenant_id
        collection = collections.put(conn, tenant_id, "own", CollectionWish(dimensions=8), settings)[0]
        job = accept(conn, collection, Kind.INGEST_DOCUMENT, Queue.LOW, [Submission("a", text="A text.")])
    with connect(settings) as conn:
        claim = claims.take(conn, job.id, settings)
    assert claim
    return claim


def found(runtime: Runtime, claim: Claim) -> Job:
    with runtime.pool.connection() as conn:
        return jobs.get(conn, claim.tenant_id, UUID(str(claim.id)))


def fail(runtime: Runtime, claim: Claim) -> None:
    with attempt(runtime, claim):
        raise psycopg.OperationalError("the server closed the connection unexpectedly")


def test_a_database_that_was_restarted_in_between_costs_one_attempt(
    mortal: Servers, own_runtime: Runtime, claim: Claim
) -> None:
    mortal["postgres"].kill()
    mortal["postgres"].start()
    with pytest.raises(AttemptFailed) as failed:
        fail(own_runtime, claim)
    assert failed.value.tried_again
    left = found(own_runtime, claim)
    assert (left.status, left.reason_code) == (Status.RETRYING, "database_unavailable")


def test_where_the_failure_cannot_be_written_the_lease_brings_the_job_back(
    mortal: Servers, own_runtime: Runtime, claim: Claim
) -> None:
    mortal["postgres"].kill()
    with pytest.raises(psycopg.OperationalError):
        fail(own_runtime, claim)
    mortal["postgres"].start()
    assert found(own_runtime, claim).status is Status.RUNNING
    relay = Relay(own_runtime.pool, own_runtime.broker, own_runtime.settings)
    deadline = monotonic() + 30
    while found(own_runtime, claim).status is Status.RUNNING:
        assert monotonic() < deadline
        relay.free_expired_jobs()
        sleep(0.05)
    with own_runtime.pool.connection() as conn:
        again = claims.take(conn, claim.id, own_runtime.settings)
    assert again
    assert again.attempt == 2
