"""The broker is killed."""

from collections.abc import Callable

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike


@strike("the broker, `kill -9`")
def broker_killed(fleet: Fleet) -> None:
    """Jobs are accepted meanwhile; it finds its queues in the append-only file, and the relay publishes the rest."""
    broker = fleet.servers["redis-broker"]
    fleet.kill(broker)
    fleet.moment()
    fleet.revive(broker)


def test_a_killed_broker_loses_nothing(survives: Callable[..., object]) -> None:
    survives(broker_killed)
