"""A worker's child is killed."""

from collections.abc import Callable

import psutil

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike


@strike("a child of a worker, `kill -9`")
def worker_child_killed(fleet: Fleet) -> None:
    """Its worker starts another; the job it had claimed goes on when the lease is over, a text it had sent too."""
    worker = psutil.Process(fleet.random.choice(fleet.workers).pid)
    with fleet.blow():
        fleet.random.choice(worker.children()).kill()


def test_a_killed_child_leaves_nothing_undone(survives: Callable[..., object]) -> None:
    survives(worker_child_killed)
