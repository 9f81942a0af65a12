"""A whole worker is killed."""

from collections.abc import Callable

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike


@strike("one of two workers, `kill -9` with its children")
def worker_killed(fleet: Fleet) -> None:
    """What it had claimed is done by the other one when the lease is over; nobody has to do anything."""
    worker = fleet.busy_worker()
    fleet.kill(worker)
    fleet.revive(worker)


def test_a_killed_worker_leaves_nothing_undone(survives: Callable[..., object]) -> None:
    survives(worker_killed)
