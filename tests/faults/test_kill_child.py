"""A worker's child is killed."""

from collections.abc import Callable

import psutil

from tests.faults.harness.fleet import ON_ITS_WAY_S, Fleet
from tests.faults.harness.strike import strike


@strike("a child of a worker, `kill -9`")
def worker_child_killed(fleet: Fleet) -> None:
    """Its worker starts another; the job it had claimed goes on when the lease is over, a text it had sent too."""
    children = psutil.Process(fleet.busy_worker().pid).children()
    busy = [child for child in children if fleet.sends(child)]  # none, where the answer has come by now
    with fleet.blow(ON_ITS_WAY_S):
        fleet.random.choice(busy or children).kill()


def test_a_killed_child_leaves_nothing_undone(survives: Callable[..., object]) -> None:
    survives(worker_child_killed)
