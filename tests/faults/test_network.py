"""The network between a worker and the servers is cut, slow, or silent."""

from collections.abc import Callable

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike


@strike("the network between a worker and both servers, cut for a while")
def network_cut(fleet: Fleet) -> None:
    """The worker waits for its servers and goes on by itself; the other one does its part meanwhile."""
    with fleet.blow():
        fleet.near_broker.cut()
        fleet.near_database.cut()
        fleet.moment(1, 2)
        fleet.near_broker.mend()
        fleet.near_database.mend()


@strike("the network between a worker and both servers, slow: each piece takes 0.1 s")
def network_slow(fleet: Fleet) -> None:
    """All takes longer, and nothing fails."""
    with fleet.blow():
        fleet.near_broker.slow(0.1)
        fleet.near_database.slow(0.1)
        fleet.moment(1, 2)
        fleet.near_broker.mend()
        fleet.near_database.mend()


@strike(
    "a worker's connections to the broker, half-open: they carry nothing any more, and nobody is told",
    ends="this worker gets none",
)
def broker_half_open(fleet: Fleet) -> None:
    """The worker notices within half a minute and connects anew, or ends to be started anew; others take its share."""
    with fleet.blow():
        fleet.near_broker.deafen()


def test_a_worker_behind_a_bad_network_loses_nothing(survives: Callable[..., object]) -> None:
    survives(network_cut, broker_half_open, network_slow)
