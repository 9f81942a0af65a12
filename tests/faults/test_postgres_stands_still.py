"""PostgreSQL answers nobody for a while."""

import time
from collections.abc import Callable

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike


@strike("PostgreSQL, stopped with SIGSTOP (2 s; 12 s in the soak)")
def postgres_paused(fleet: Fleet) -> None:
    """Requests and workers wait, or give up and come again; a lease that ran out meanwhile is another's."""
    with fleet.paused(fleet.servers["postgres"]):
        time.sleep(min(fleet.pause_s - 5, 12))


def test_a_postgresql_that_stands_still_loses_nothing(survives: Callable[..., object]) -> None:
    survives(postgres_paused)
