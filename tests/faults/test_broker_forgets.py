"""The broker forgets: emptied, or started with a file that is too old."""

import shutil
from collections.abc import Callable

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike

QUEUES = ("critical", "default", "low")


@strike("the broker, emptied with FLUSHALL")
def broker_emptied(fleet: Fleet) -> None:
    """The relay sees which jobs no message covers, and publishes them again."""
    with fleet.redis() as redis:
        fleet.until(lambda: any(map(redis.llen, QUEUES)) or redis.hlen("unacked"), "there is no message to lose")
        with fleet.blow():
            redis.flushall()


@strike("the broker, started again with an append-only file of before")
def broker_set_back(fleet: Fleet) -> None:
    """Messages of jobs that are over do nothing; those that are missing are published again."""
    broker = fleet.servers["redis-broker"]
    files = broker.spec.cwd / "appendonlydir"
    old = files.with_name("appendonlydir.old")
    shutil.copytree(files, old)
    fleet.moment(0.5, 1)
    with fleet.blow():
        broker.stop()
    shutil.rmtree(files)
    old.rename(files)
    fleet.revive(broker)


def test_queues_that_were_emptied_are_rebuilt(survives: Callable[..., object]) -> None:
    survives(broker_emptied)


def test_messages_of_the_past_do_no_harm(survives: Callable[..., object]) -> None:
    survives(broker_set_back)
