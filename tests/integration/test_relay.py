"""The relay: publishes what was accepted, brings back what was lost, leaves alone what only waits."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from redis import Redis

from dbrag.database.pool import Connection
from dbrag.documents.accept import accept
from dbrag.documents.model import Collection, Submission
from dbrag.jobs import claims, jobs
from dbrag.jobs.broker import Broker
from dbrag.jobs.model import Kind, Queue, Status
from dbrag.jobs.outbox import publish_due
from dbrag.jobs.relay import Relay
from dbrag.runtime import Runtime
from dbrag.settings import Settings


def submit(conn: Connection, collection: Collection, count: int = 1) -> list[UUID]:
    with conn.transaction():
        return [
            accept(conn, collection, Kind.INGEST_DOCUMENT, Queue.LOW, [Submission(str(n), text="A text.")]).id
            for n in range(count)
        ]


def messages(redis: Redis) -> int:
    """Messages of jobs in the queue; there may be a canary, too."""
    found = redis.lrange("low", 0, -1)
    assert isinstance(found, list)
    return sum(b"ingest_document" in message for message in found)


def test_several_relays_publish_each_job_once(
    conn: Connection, own_collection: Collection, runtime: Runtime, redis: Redis
) -> None:
    ids = submit(conn, own_collection, 60)
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: publish_due(runtime.pool, runtime.broker, runtime.settings), range(4)))
    assert sum(taken) == messages(redis) == len(ids)
    marked = conn.execute("SELECT id FROM jobs WHERE publish_at IS NOT NULL AND id = ANY(%s)", [ids]).fetchall()
    assert marked == []


def test_what_a_broker_does_not_take_stays_marked_and_is_put_off(
    conn: Connection, own_collection: Collection, runtime: Runtime, settings: Settings, redis: Redis
) -> None:
    ids = submit(conn, own_collection, 3)
    nowhere = Broker(
        settings.model_copy(update={"celery_broker_url": type(settings.celery_broker_url)("redis://127.0.0.1:1")})
    )
    assert publish_due(runtime.pool, nowhere, settings) == 0
    assert nowhere.lengths() is None
    nowhere.close()
    marked = conn.execute(
        "SELECT id FROM jobs WHERE publish_at > now() AND publish_count = 0 AND id = ANY(%s)", [ids]
    ).fetchall()
    assert len(marked) == 3


def test_a_job_that_only_waits_in_a_queue_is_not_published_again(
    conn: Connection, own_collection: Collection, relay: Relay, redis: Redis
) -> None:
    ids = submit(conn, own_collection, 5)
    relay.run_pass()
    conn.execute("UPDATE jobs SET published_at = now() - interval '1 hour' WHERE id = ANY(%s)", [ids])
    relay.run_pass()
    assert messages(redis) == 5


def test_jobs_are_published_again_when_their_queue_was_emptied(
    conn: Connection, own_collection: Collection, relay: Relay, redis: Redis
) -> None:
    ids = submit(conn, own_collection, 5)
    relay.run_pass()
    redis.flushall()
    relay.run_pass()
    assert messages(redis) == 0, "a message that was just published may be with a worker"
    conn.execute("UPDATE jobs SET published_at = now() - interval '1 minute' WHERE id = ANY(%s)", [ids])
    relay.run_pass()
    assert messages(redis) == 5


def test_a_job_is_published_again_when_later_ones_were_started(
    conn: Connection, own_collection: Collection, relay: Relay, settings: Settings, redis: Redis
) -> None:
    lost, waiting, started = submit(conn, own_collection, 3)
    relay.run_pass()
    ages = {lost: 60, started: 30, waiting: 29}
    for job_id, age_s in ages.items():
        conn.execute("UPDATE jobs SET published_at = now() - make_interval(secs => %s) WHERE id = %s", [age_s, job_id])
    assert claims.take(conn, started, settings)
    relay.run_pass()
    again = conn.execute("SELECT id FROM jobs WHERE publish_count > 1 AND id = ANY(%s)", [list(ages)]).fetchall()
    assert again == [(lost,)]


def test_a_job_whose_worker_died_is_tried_again_and_says_why(
    conn: Connection, own_collection: Collection, relay: Relay, settings: Settings, redis: Redis
) -> None:
    [job_id] = submit(conn, own_collection)
    claim = claims.take(conn, job_id, settings)
    assert claim
    conn.execute("UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = %s", [job_id])
    relay.run_pass()
    job = jobs.get(conn, own_collection.tenant_id, job_id)
    assert (job.status, job.reason_code) == (Status.RETRYING, "worker_lost")
    assert messages(redis) == 1
    again = claims.take(conn, job_id, settings)
    assert again
    assert (again.attempt, again.claim_id == claim.claim_id) == (2, False)


def test_a_lease_that_has_not_run_out_is_left_alone(
    conn: Connection, own_collection: Collection, relay: Relay, settings: Settings, redis: Redis
) -> None:
    [job_id] = submit(conn, own_collection)
    assert claims.take(conn, job_id, settings)
    relay.run_pass()
    assert jobs.get(conn, own_collection.tenant_id, job_id).status is Status.RUNNING


def test_a_cancelled_job_ends_and_leaves_no_document(
    conn: Connection, own_collection: Collection, relay: Relay, redis: Redis
) -> None:
    [job_id] = submit(conn, own_collection)
    with conn.transaction():
        jobs.cancel(conn, own_collection.tenant_id, job_id)
    relay.run_pass()
    assert jobs.get(conn, own_collection.tenant_id, job_id).status is Status.CANCELLED
    documents = conn.execute("SELECT id FROM documents WHERE collection_id = %s", [own_collection.id]).fetchall()
    assert documents == []


def test_a_job_that_waits_for_nothing_is_ended_and_one_that_was_left_half_split_goes_on(
    conn: Connection, own_collection: Collection, relay: Relay, settings: Settings, redis: Redis
) -> None:
    stranded, healthy = submit(conn, own_collection, 2)
    for job_id in (stranded, healthy):
        claim = claims.take(conn, job_id, settings)
        assert claim
        claims.release(conn, claim)
    conn.execute("DELETE FROM document_versions WHERE job_id = %s", [stranded])
    conn.execute("UPDATE job_items SET status = 'embedding' WHERE job_id = %s", [stranded])
    relay.run_pass()
    ended = jobs.get(conn, own_collection.tenant_id, stranded)
    assert (ended.status, ended.error and ended.error["code"]) == (Status.FAILED, "stranded")
    left_half_split = jobs.get(conn, own_collection.tenant_id, healthy)
    assert (left_half_split.status, left_half_split.attempt) == (Status.QUEUED, 1)
