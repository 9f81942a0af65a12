"""Turns of tenants inside a queue: nobody waits behind another's long backlog, and nothing idles."""

from collections.abc import Iterator
from time import monotonic, sleep
from uuid import UUID

import orjson
import pytest
from redis import Redis
from uuid_utils.compat import uuid7

from dbrag.database.pool import Connection
from dbrag.jobs import claims
from dbrag.jobs.outbox import publish_due
from dbrag.runtime import Runtime
from dbrag.settings import Settings


@pytest.fixture
def redis(settings: Settings, conn: Connection) -> Iterator[Redis]:
    """The broker, empty, and no job of another test on its way to it; what a test leaves is removed."""
    conn.execute("UPDATE jobs SET publish_at = now() + interval '1 day' WHERE status IN ('queued', 'retrying', 'held')")
    with Redis.from_url(settings.celery_broker_url.get_secret_value()) as redis:
        redis.flushall()
        yield redis
    conn.execute("DELETE FROM jobs WHERE params = '{\"turns\": true}'")


def tenant(conn: Connection, weight: int = 1) -> UUID:
    tenant_id = uuid7()
    conn.execute("INSERT INTO tenants (id, name, weight) VALUES (%s, %s, %s)", [tenant_id, str(tenant_id), weight])
    return tenant_id


def submit(conn: Connection, tenant_id: UUID, count: int, queue: str = "low") -> None:
    """Jobs without documents: only their turns matter here."""
    conn.execute(
        "INSERT INTO jobs (id, tenant_id, kind, queue, total, params, publish_at) "
        "SELECT gen_random_uuid(), %s, 'ingest_document', %s, 1, '{\"turns\": true}', now() - interval '1 second' "
        "+ make_interval(secs => n / 1e6) FROM generate_series(1, %s) n",
        [tenant_id, queue, count],
    )


def in_broker(conn: Connection, tenant_id: UUID) -> int:
    row = conn.execute(
        "SELECT count(*) FROM jobs WHERE tenant_id = %s AND publish_at IS NULL AND status = 'queued'", [tenant_id]
    ).fetchone()
    assert row
    return row[0]


def published(redis: Redis, conn: Connection, queue: str = "low") -> list[UUID]:
    """Whose jobs are in the broker, in the order in which workers get them."""
    owners = dict(conn.execute("SELECT id, tenant_id FROM jobs").fetchall())
    messages = redis.lrange(queue, 0, -1)
    assert isinstance(messages, list)
    return [owners[UUID(orjson.loads(message)["headers"]["id"])] for message in reversed(messages)]


def test_three_jobs_do_not_wait_behind_another_tenants_three_hundred(
    conn: Connection, runtime: Runtime, settings: Settings, redis: Redis
) -> None:
    many, few = tenant(conn), tenant(conn)
    submit(conn, many, 300)
    submit(conn, few, 3)
    publish_due(runtime.pool, runtime.broker, settings)
    order = published(redis, conn)
    assert len(order) == settings.queue_window
    assert [place for place, owner in enumerate(order) if owner == few] == [1, 3, 5]


def test_turns_go_by_weight(conn: Connection, runtime: Runtime, settings: Settings, redis: Redis) -> None:
    light, heavy = tenant(conn, weight=1), tenant(conn, weight=3)
    submit(conn, light, 300)
    submit(conn, heavy, 300)
    publish_due(runtime.pool, runtime.broker, settings)
    assert (in_broker(conn, light), in_broker(conn, heavy)) == (25, 75)
    assert published(redis, conn)[:40].count(light) == 10


def test_who_waits_alone_gets_the_whole_window_and_each_claim_makes_room(
    conn: Connection, runtime: Runtime, settings: Settings, redis: Redis
) -> None:
    alone = tenant(conn)
    submit(conn, alone, 250)
    for _ in range(3):
        publish_due(runtime.pool, runtime.broker, settings)
    assert in_broker(conn, alone) == settings.queue_window
    ids = [row[0] for row in conn.execute("SELECT id FROM jobs WHERE tenant_id = %s AND publish_at IS NULL", [alone])]
    for job_id in ids[:7]:
        assert claims.take(conn, job_id, settings)
    assert publish_due(runtime.pool, runtime.broker, settings, at_least=8) == 0
    assert publish_due(runtime.pool, runtime.broker, settings) == 7


def test_a_claim_has_the_window_filled_without_a_relay_once_a_quarter_of_it_is_free(
    conn: Connection, runtime: Runtime, settings: Settings, redis: Redis
) -> None:
    alone = tenant(conn)
    submit(conn, alone, 250)
    publish_due(runtime.pool, runtime.broker, settings)
    ids = [row[0] for row in conn.execute("SELECT id FROM jobs WHERE tenant_id = %s AND publish_at IS NULL", [alone])]
    quarter = settings.queue_window // 4
    for job_id in ids[:quarter]:
        assert claims.take(conn, job_id, settings)
    runtime.publisher.refill()
    deadline = monotonic() + 10
    while in_broker(conn, alone) < settings.queue_window and monotonic() < deadline:
        sleep(0.01)
    assert in_broker(conn, alone) == settings.queue_window


def test_a_full_window_of_low_delays_nothing_critical(
    conn: Connection, runtime: Runtime, settings: Settings, redis: Redis
) -> None:
    one = tenant(conn)
    submit(conn, one, 200)
    publish_due(runtime.pool, runtime.broker, settings)
    submit(conn, one, 1, queue="critical")
    assert publish_due(runtime.pool, runtime.broker, settings) == 1
    assert published(redis, conn, "critical") == [one]


def test_a_backlog_of_100_000_jobs_is_neither_sorted_nor_counted(
    conn: Connection, runtime: Runtime, settings: Settings, redis: Redis
) -> None:
    many = tenant(conn)
    submit(conn, many, 100_000)
    few = [tenant(conn) for _ in range(50)]
    for tenant_id in few:
        submit(conn, tenant_id, 2)
    conn.execute("ANALYZE jobs")
    began = monotonic()
    assert publish_due(runtime.pool, runtime.broker, settings) == settings.queue_window
    first_s = monotonic() - began
    assert {in_broker(conn, tenant_id) for tenant_id in few} <= {1, 2}
    began = monotonic()
    assert publish_due(runtime.pool, runtime.broker, settings) == 0
    print(f"first pass {first_s * 1000:.1f} ms, with its 100 messages; a pass without room {monotonic() - began:.4f} s")
    assert first_s < 1, "walking through the backlog takes longer"
