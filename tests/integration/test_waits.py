"""What jobs wait for outside of themselves: a pause, the provider, a consumer; and that each wait has an end."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from redis import Redis

from dbrag.database.pool import Connection
from dbrag.documents.accept import accept
from dbrag.documents.ingest import ingest
from dbrag.documents.model import Collection, Submission
from dbrag.errors import Transient
from dbrag.jobs import canaries, claims, holds, jobs
from dbrag.jobs.model import Job, Kind, Queue, Status
from dbrag.jobs.outbox import publish_due
from dbrag.jobs.relay import Relay
from dbrag.runtime import Runtime
from dbrag.settings import Settings


@pytest.fixture(autouse=True)
def redis(settings: Settings, conn: Connection) -> Iterator[Redis]:
    """The broker, empty, and no job of another test on its way to it, paused, started just now or claimed."""
    conn.execute("UPDATE jobs SET publish_at = now() + interval '1 day' WHERE status IN ('queued', 'retrying')")
    conn.execute("UPDATE jobs SET started_at = started_at - interval '1 day'")
    conn.execute("UPDATE jobs SET lease_until = now() WHERE claim_id IS NOT NULL")
    conn.execute("UPDATE canaries SET sent_at = NULL, seen_at = NULL")
    with Redis.from_url(settings.celery_broker_url.get_secret_value()) as redis:
        redis.flushall()
        yield redis
    conn.execute("UPDATE collections SET paused_at = NULL")
    conn.execute("DELETE FROM pauses")
    conn.execute("UPDATE canaries SET sent_at = NULL, seen_at = NULL")


def submit(conn: Connection, collection: Collection, *names: str) -> UUID:
    with conn.transaction():
        items = [Submission(name, text=f"Text of {name}.") for name in names]
        return accept(conn, collection, Kind.INGEST_DOCUMENT, Queue.LOW, items).id


def look(conn: Connection, collection: Collection, job_id: UUID) -> Job:
    return jobs.get(conn, collection.tenant_id, job_id)


def stands(job: Job) -> tuple[Status, str | None]:
    return job.status, job.reason_code


def pause(conn: Connection, collection: Collection, *, paused: bool) -> None:
    conn.execute(
        "UPDATE collections SET paused_at = CASE WHEN %s THEN now() END WHERE id = %s", [paused, collection.id]
    )


def give_nothing(conn: Connection, collection: Collection, until_s: float) -> None:
    conn.execute(
        "INSERT INTO pauses VALUES (%s, 1, now() + make_interval(secs => %s), 'rate_limited', 'wait') "
        "ON CONFLICT (model) DO UPDATE SET paused_until = excluded.paused_until",
        [collection.model, until_s],
    )


def test_jobs_of_a_paused_collection_are_held_and_go_on_where_they_were(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay
) -> None:
    split, waiting, retrying = (submit(conn, own_collection, name) for name in ("split", "waiting", "retrying"))
    ingest(runtime, split)
    claim = claims.take(conn, retrying, runtime.settings)
    assert claim
    conn.execute(
        "UPDATE jobs SET status = 'retrying', claim_id = NULL, lease_until = NULL, reason_code = 'time_limit', "
        "publish_at = now() WHERE id = %s",
        [retrying],
    )
    pause(conn, own_collection, paused=True)
    assert claims.take(conn, waiting, runtime.settings) is None, "a message that is in the broker already"
    relay.run_pass()
    for job_id in (split, waiting, retrying):
        assert stands(look(conn, own_collection, job_id)) == (Status.HELD, "paused")
    assert conn.execute("SELECT id FROM jobs WHERE reason_code = 'paused' AND publish_at IS NOT NULL").fetchall() == []
    pause(conn, own_collection, paused=False)
    relay.run_pass()
    assert stands(look(conn, own_collection, split)) == (Status.RUNNING, None)
    for job_id in (waiting, retrying):
        assert stands(look(conn, own_collection, job_id)) == (Status.QUEUED, None)
        assert claims.take(conn, job_id, runtime.settings)


def test_a_job_with_a_claim_and_an_index_build_are_not_paused(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay
) -> None:
    claimed = submit(conn, own_collection, "claimed")
    assert claims.take(conn, claimed, runtime.settings)
    build = jobs.create(
        conn, own_collection.tenant_id, Kind.REBUILD_INDEX, Queue.LOW, own_collection.id,
        generation_id=own_collection.generation_id,
    )  # fmt: skip
    pause(conn, own_collection, paused=True)
    relay.run_pass()
    assert look(conn, own_collection, claimed).status is Status.RUNNING
    assert look(conn, own_collection, build).status is Status.QUEUED


def test_jobs_are_held_while_their_provider_gives_nothing_and_go_on_when_it_does(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay
) -> None:
    job_id = submit(conn, own_collection, "a", "b")
    ingest(runtime, job_id)
    give_nothing(conn, own_collection, 30)
    relay.run_pass()
    first = look(conn, own_collection, job_id)
    assert (stands(first), first.reason_detail) == ((Status.HELD, "rate_limited"), "wait")
    assert first.reason_until is not None
    conn.execute("UPDATE jobs SET reason_until = now() WHERE id = %s", [job_id])
    give_nothing(conn, own_collection, 60)
    relay.run_pass()
    later = look(conn, own_collection, job_id).reason_until
    assert later is not None
    assert later > first.reason_until, "a longer pause shows"
    give_nothing(conn, own_collection, 0)
    relay.run_pass()
    assert look(conn, own_collection, job_id).status is Status.HELD, "whether the provider is back is being tried"
    conn.execute("DELETE FROM pauses")
    conn.execute("UPDATE pending SET not_before = now() + interval '1 minute' WHERE job_id = %s", [job_id])
    relay.run_pass()
    assert look(conn, own_collection, job_id).status is Status.HELD, "its texts were put off"
    conn.execute("UPDATE pending SET not_before = now() WHERE job_id = %s", [job_id])
    relay.run_pass()
    assert stands(look(conn, own_collection, job_id)) == (Status.RUNNING, None)


def test_a_pause_of_another_model_holds_nobody(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay
) -> None:
    job_id = submit(conn, own_collection, "a")
    ingest(runtime, job_id)
    conn.execute("INSERT INTO pauses VALUES ('another', 1, now() + interval '1 hour', 'rate_limited', 'wait')")
    relay.run_pass()
    assert look(conn, own_collection, job_id).status is Status.RUNNING


def test_two_relays_send_one_canary_and_none_before_it_was_taken(
    conn: Connection, runtime: Runtime, settings: Settings, redis: Redis
) -> None:
    for _ in range(2):
        Relay(runtime.pool, runtime.broker, settings).send_canaries()
    assert redis.llen("low") == 1
    a_while = 5 * settings.lease_s
    conn.execute("UPDATE canaries SET sent_at = now() - make_interval(secs => %s)", [a_while])
    Relay(runtime.pool, runtime.broker, settings).send_canaries()
    assert redis.llen("low") == 1, "nobody has taken it"
    conn.execute("UPDATE canaries SET sent_at = now() - make_interval(secs => %s)", [3 * a_while])
    Relay(runtime.pool, runtime.broker, settings).send_canaries()
    assert redis.llen("low") == 2, "by now it may be lost, though the queue is not empty"
    redis.flushall()
    conn.execute("UPDATE canaries SET sent_at = now() - make_interval(secs => %s)", [a_while])
    Relay(runtime.pool, runtime.broker, settings).send_canaries()
    assert redis.llen("low") == 1, "the broker had lost it"
    conn.execute("UPDATE canaries SET sent_at = now() - interval '1 hour'")
    canaries.seen(conn, Queue.LOW)
    Relay(runtime.pool, runtime.broker, settings).send_canaries()
    assert redis.llen("low") == 2, "it was taken; this test leaves the message where it is"


def unserved(conn: Connection) -> None:
    conn.execute("UPDATE canaries SET sent_at = now() - interval '1 hour', seen_at = now() - interval '2 hours'")


def test_a_job_without_a_consumer_can_be_claimed_at_once_and_its_mark_stands(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay, redis: Redis
) -> None:
    covered = submit(conn, own_collection, "covered")
    relay.publish()
    marked = submit(conn, own_collection, "marked")
    unserved(conn)
    redis.lpush("low", "a message, so that the canary does not count as lost")
    relay.hold_without_consumer()
    for job_id in (covered, marked):
        assert stands(look(conn, own_collection, job_id)) == (Status.HELD, "no_consumer")
    publish_due(runtime.pool, runtime.broker, runtime.settings)
    unpublished = "SELECT id FROM jobs WHERE publish_at IS NOT NULL AND id = ANY(%s)"
    assert conn.execute(unpublished, [[covered, marked]]).fetchall() == []
    assert claims.take(conn, covered, runtime.settings)
    relay.end_without_consumer()
    assert stands(look(conn, own_collection, marked)) == (Status.QUEUED, None)


@pytest.mark.parametrize("reason", ["paused", "no_consumer"])
def test_a_job_that_is_half_split_stays_held_whatever_becomes_of_its_texts(
    conn: Connection, own_collection: Collection, runtime: Runtime, reason: str
) -> None:
    job_id = submit(conn, own_collection, "a", "b")
    ingest(runtime, job_id)
    conn.execute("UPDATE job_items SET status = 'queued' WHERE job_id = %s AND index = 1", [job_id])
    conn.execute("UPDATE jobs SET status = 'held', reason_code = %s WHERE id = %s", [reason, job_id])
    with conn.transaction():
        holds.end(conn, [job_id])
    assert stands(look(conn, own_collection, job_id)) == (Status.HELD, reason)
    with conn.transaction():
        holds.begin(conn, [job_id], Transient("wait", code="rate_limited"), datetime.now(UTC))
    assert stands(look(conn, own_collection, job_id)) == (Status.HELD, reason)


def test_a_queue_whose_worker_is_busy_for_long_has_a_consumer(
    conn: Connection, own_collection: Collection, settings: Settings, relay: Relay
) -> None:
    busy, waiting = submit(conn, own_collection, "busy"), submit(conn, own_collection, "waiting")
    assert claims.take(conn, busy, settings)
    conn.execute("UPDATE jobs SET started_at = now() - interval '1 hour' WHERE id = %s", [busy])
    unserved(conn)
    relay.hold_without_consumer()
    assert look(conn, own_collection, waiting).status is Status.QUEUED
