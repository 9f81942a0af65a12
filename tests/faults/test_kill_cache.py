"""The cache is killed."""

from collections.abc import Callable

from dbrag.cache import PAUSE_S
from tests.faults.harness.fleet import ON_ITS_WAY_S, Fleet
from tests.faults.harness.strike import strike


@strike("the cache, `kill -9`; it comes back empty", forgets=True)
def cache_killed(fleet: Fleet) -> None:
    """Nobody waits for it: what it had is asked for again where it is stored nowhere else."""
    cache = fleet.servers["redis-cache"]
    # What is answered while there is no cache, or while the workers leave it alone, cannot be kept for others.
    with fleet.blow(ON_ITS_WAY_S, late_s=PAUSE_S):
        fleet.kill(cache)
        fleet.moment()
        cache.start()


def test_a_killed_cache_fails_nothing(survives: Callable[..., object]) -> None:
    survives(cache_killed)
