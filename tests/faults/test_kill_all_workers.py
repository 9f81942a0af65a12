"""All workers are killed."""

from collections.abc import Callable

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike


@strike("all workers, `kill -9`")
def all_workers_killed(fleet: Fleet) -> None:
    """Jobs are accepted and wait; they go on once a worker runs, those that were claimed when the lease is over."""
    fleet.until(fleet.under_way, "nothing is under way")
    fleet.kill(*fleet.workers)
    fleet.revive(*fleet.workers)


def test_workers_that_are_all_killed_leave_nothing_undone(survives: Callable[..., object]) -> None:
    survives(all_workers_killed)
