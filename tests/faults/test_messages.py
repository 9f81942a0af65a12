"""Messages come twice, or in the wrong order."""

import json
from collections.abc import Callable

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike

QUEUES = ("critical", "default", "low")


@strike("every message in the queues and in the workers' hands, delivered twice")
def messages_doubled(fleet: Fleet) -> None:
    """A message only says where to look: who comes second finds nothing to claim."""
    with fleet.paused(*fleet.workers), fleet.redis() as redis:
        fleet.moment(0.8, 1.2)
        fleet.until(lambda: sum(map(redis.llen, QUEUES)) + redis.hlen("unacked"), "there is no message")
        for queue in QUEUES:
            if messages := redis.lrange(queue, 0, -1):
                redis.lpush(queue, *messages)
        for held in redis.hvals("unacked"):
            message, _, queue = json.loads(held)
            redis.lpush(queue, json.dumps(message))


@strike("every message in the queues, in reverse order")
def messages_reversed(fleet: Fleet) -> None:
    """The newest version of a document wins whatever comes first; a job that came late is not taken for lost."""
    with fleet.paused(*fleet.workers), fleet.redis() as redis:
        fleet.moment(0.8, 1.2)
        fleet.until(lambda: any(redis.llen(queue) > 1 for queue in QUEUES), "there are no messages to reverse")
        for queue in QUEUES:
            with redis.pipeline() as together:
                messages = redis.lrange(queue, 0, -1)
                together.delete(queue)
                if messages:
                    together.rpush(queue, *reversed(messages))
                together.execute()


def test_messages_that_come_twice_do_nothing_twice(survives: Callable[..., object]) -> None:
    survives(messages_doubled)


def test_the_order_of_messages_does_not_matter(survives: Callable[..., object]) -> None:
    survives(messages_reversed)
