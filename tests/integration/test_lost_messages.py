"""Messages that are lost, and what the jobs they were for go through."""

from dataclasses import replace
from uuid import UUID

from redis import Redis

from dbrag.database.pool import Connection, connect
from dbrag.documents import collections, purge
from dbrag.documents.accept import accept
from dbrag.documents.ingest import ingest
from dbrag.documents.model import Collection, Submission
from dbrag.embedding import embed
from dbrag.jobs import canaries, claims, jobs, waits, wakes
from dbrag.jobs.model import Kind, Queue, Status
from dbrag.jobs.relay import Relay
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from tests.integration.test_relay import messages, submit


def age(conn: Connection, ids: list[UUID], seconds: float) -> None:
    conn.execute(
        "UPDATE jobs SET published_at = published_at - make_interval(secs => %s) WHERE id = ANY(%s)", [seconds, ids]
    )


def published(conn: Connection, ids: list[UUID]) -> set[UUID]:
    rows = conn.execute("SELECT id FROM jobs WHERE publish_at IS NULL AND status = 'queued' AND id = ANY(%s)", [ids])
    return {row[0] for row in rows}


def test_a_job_that_was_handed_back_makes_no_other_look_lost(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay, redis: Redis
) -> None:
    ids = submit(conn, own_collection, 5)
    relay.publish()
    redis.rpop("low")
    with runtime.pool.connection() as mine:
        claim = claims.take(mine, ids[0], runtime.settings)
        assert claim
        claims.hand_back(mine, claim)
    age(conn, ids[1:], 5)
    relay.publish()
    assert relay.mark_lost() == 0
    assert messages(redis) == 5


def test_what_was_lost_keeps_its_place(
    conn: Connection, own_collection: Collection, relay: Relay, redis: Redis, settings: Settings
) -> None:
    first = submit(conn, own_collection, settings.queue_window)
    relay.publish()
    later = submit(conn, own_collection, 2 * settings.queue_window)
    redis.flushall()
    age(conn, first, 50)
    assert relay.mark_lost() == len(first)
    relay.publish()
    assert published(conn, first + later) == set(first)


def test_a_canary_that_was_taken_shows_what_is_lost_though_the_queue_is_not_empty(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay, redis: Redis, settings: Settings
) -> None:
    first = submit(conn, own_collection, settings.queue_window)
    relay.publish()
    submit(conn, own_collection, 5)
    redis.flushall()
    runtime.broker.wake(Queue.LOW)
    age(conn, first, 3600)
    assert relay.mark_lost() == 0, "they may wait behind the message that is there"
    assert relay.publish() == 0, "there is no room"
    conn.execute("UPDATE canaries SET sent_at = now() WHERE queue = 'low'")
    canaries.seen(conn, Queue.LOW)
    assert relay.mark_lost() == len(first)


def test_a_broker_that_is_away_lengthens_no_wait(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay, redis: Redis
) -> None:
    """Neither for the first message, nor for finding out that it was lost."""
    [job_id] = submit(conn, own_collection)
    away = Relay(runtime.pool, _Nowhere(runtime.broker), runtime.settings)  # pyright: ignore[reportArgumentType]
    for _ in range(7):
        conn.execute("UPDATE jobs SET publish_at = now() WHERE id = %s", [job_id])
        away.publish()
    row = conn.execute(
        "SELECT publish_count, publish_at < now() + interval '6 s' FROM jobs WHERE id = %s", [job_id]
    ).fetchone()
    assert row == (0, True)


class _Nowhere:
    """A broker that takes nothing."""

    def __init__(self, broker: object) -> None:
        self._broker = broker

    def publish(self, jobs: object) -> list[UUID]:
        return []


def test_a_job_that_was_accepted_while_its_paused_collection_was_deleted_ends(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay, settings: Settings, redis: Redis
) -> None:
    tenant_id = own_collection.tenant_id
    collections.pause(conn, tenant_id, "own")
    with connect(settings) as other:
        found = collections.get(other, tenant_id, "own")
        job = accept(other, found, Kind.INGEST_DOCUMENT, Queue.LOW, [Submission("x", text="A text.")])
        collections.delete(conn, tenant_id, "own")
    relay.run_pass()
    with runtime.pool.connection() as mine:
        assert claims.take(mine, job.id, settings), "whoever claims it finds out that its collection is gone"
        jobs.cancel(mine, tenant_id, job.id)
    relay.run_pass()
    purge.purge_deleted(runtime.pool)
    assert conn.execute("SELECT id FROM collections WHERE id = %s", [own_collection.id]).fetchone() is None


def test_jobs_without_a_consumer_count_as_waiting(conn: Connection, own_collection: Collection, redis: Redis) -> None:
    submit(conn, own_collection, 7)
    while waits.hold_without_consumer(conn, [Queue.LOW]):
        pass  # page by page, other tests' jobs as well
    report = next(one for one in jobs.queues(conn, own_collection.tenant_id) if one.name is Queue.LOW)
    assert (report.waiting, report.running, report.oldest_age_s is not None) == (7, 0, True)
    assert {job.status for job in jobs.page(conn, own_collection.tenant_id)} == {Status.HELD}


def test_a_large_backlog_of_texts_leaves_one_wake_up_in_the_queue(
    conn: Connection, own_collection: Collection, runtime: Runtime, settings: Settings, redis: Redis
) -> None:
    conn.execute("UPDATE canaries SET wake_sent_at = NULL")
    small = replace(runtime, settings=settings.model_copy(update={"request_inputs": 5}))
    with conn.transaction():
        items = [Submission(f"d{n}", text=f"{n} of {own_collection.id}.") for n in range(200)]
        job = accept(conn, own_collection, Kind.INGEST_DOCUMENT, Queue.DEFAULT, items)
    ingest(small, job.id)
    embed.embed_pending(small)
    assert sum(b"embed_pending" in message for message in redis.lrange("default", 0, -1)) == 1


def test_a_wake_up_is_sent_again_once_it_was_taken_or_is_lost(
    conn: Connection, runtime: Runtime, settings: Settings, redis: Redis
) -> None:
    conn.execute("UPDATE canaries SET wake_sent_at = NULL")

    def send(*, missed: bool = False) -> bool:
        return wakes.send(runtime.pool, runtime.broker, Queue.LOW, settings, missed=missed)

    assert [send(), send()] == [True, False]
    assert send(missed=True)
    wakes.taken(runtime.pool, Queue.LOW)
    assert send()
    conn.execute("UPDATE canaries SET wake_sent_at = now() - interval '1 hour', wake_taken_at = NULL")
    assert send()
