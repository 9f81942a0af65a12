"""The place in a queue is the order in which workers get the jobs, among tenants who take turns."""

from collections.abc import Iterator
from uuid import UUID

import orjson
import pytest
from redis import Redis
from test_turns import submit, tenant

from dbrag.database.pool import Connection
from dbrag.jobs import claims, jobs, line
from dbrag.jobs.outbox import publish_due
from dbrag.runtime import Runtime
from dbrag.settings import Settings


@pytest.fixture(autouse=True)
def no_other_jobs(conn: Connection, redis: Redis) -> Iterator[None]:
    """Other tests leave jobs that wait; here the line is this test's own."""
    conn.execute("UPDATE jobs SET reason_until = '2100-01-01Z' WHERE status IN ('queued', 'retrying', 'held')")
    yield
    conn.execute("DELETE FROM jobs WHERE params = '{\"turns\": true}'")


def ids(conn: Connection, *tenants: UUID) -> list[UUID]:
    found = conn.execute("SELECT id FROM jobs WHERE tenant_id = ANY(%s) ORDER BY id", [list(tenants)])
    return [row[0] for row in found]


def in_line(conn: Connection, *tenants: UUID) -> list[UUID]:
    """The jobs of these tenants that have a place, by their place, which each asks for alone."""
    places = dict[int, UUID]()
    for tenant_id in tenants:
        for job_id in ids(conn, tenant_id):
            job = jobs.get(conn, tenant_id, job_id, line.DEPTH)
            if job.queue_position is not None:
                assert job.queue_position not in places
                places[job.queue_position] = job_id
    assert sorted(places) == list(range(1, len(places) + 1))
    together = jobs.several(conn, tenants, ids(conn, *tenants), line.DEPTH)
    assert {job.queue_position: job.id for job in together if job.queue_position} == places
    return [places[place] for place in sorted(places)]


def delivered(redis: Redis, queue: str = "low") -> list[UUID]:
    """The jobs in the broker, in the order in which workers get them."""
    messages = redis.lrange(queue, 0, -1)
    assert isinstance(messages, list)
    return [UUID(orjson.loads(message)["headers"]["id"]) for message in reversed(messages)]


def test_what_is_not_published_stands_in_the_order_of_turns(
    conn: Connection, runtime: Runtime, settings: Settings, redis: Redis
) -> None:
    light, heavy, few = tenant(conn), tenant(conn, weight=3), tenant(conn)
    submit(conn, light, 20)
    submit(conn, heavy, 40)
    submit(conn, few, 3)
    expected = in_line(conn, light, heavy, few)
    assert len(expected) == 63
    assert publish_due(runtime.pool, runtime.broker, settings) == 63
    assert delivered(redis) == expected
    assert in_line(conn, light, heavy, few) == expected


def test_the_line_moves_up_as_jobs_are_claimed_and_published(
    conn: Connection, runtime: Runtime, settings: Settings, redis: Redis
) -> None:
    light, heavy = tenant(conn), tenant(conn, weight=3)
    submit(conn, light, 50)
    submit(conn, heavy, 100)
    publish_due(runtime.pool, runtime.broker, settings)
    expected = in_line(conn, light, heavy)
    assert len(expected) == 150
    for job_id in delivered(redis)[:40]:
        assert claims.take(conn, job_id, settings)
    assert in_line(conn, light, heavy) == expected[40:]
    publish_due(runtime.pool, runtime.broker, settings)
    assert delivered(redis) == expected[:140]
    assert in_line(conn, light, heavy) == expected[40:]


def test_what_is_put_off_and_what_is_far_behind_has_no_place(conn: Connection) -> None:
    one = tenant(conn)
    submit(conn, one, 5)
    order = in_line(conn, one)
    conn.execute("UPDATE jobs SET reason_until = now() + interval '1 minute' WHERE id = %s", [order[1]])
    assert in_line(conn, one) == [order[0], *order[2:]]
    conn.execute("UPDATE jobs SET reason_until = now() WHERE id = %s", [order[1]])
    assert in_line(conn, one) == order
    shallow = line.with_positions(conn, jobs.several(conn, [one], order), depth=2)
    assert sorted(job.queue_position for job in shallow if job.queue_position) == [1, 2]


def test_queues_have_a_line_each(conn: Connection) -> None:
    one = tenant(conn)
    submit(conn, one, 2, "low")
    submit(conn, one, 2, "critical")
    assert sorted(str(job.queue_position) for job in jobs.several(conn, [one], ids(conn, one), line.DEPTH)) == [
        "1",
        "1",
        "2",
        "2",
    ]
