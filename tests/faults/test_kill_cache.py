"""The cache is killed."""

from collections.abc import Callable

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike


@strike("the cache, `kill -9`; it comes back empty", forgets=True)
def cache_killed(fleet: Fleet) -> None:
    """Nobody waits for it: what it had is asked for again where it is stored nowhere else."""
    cache = fleet.servers["redis-cache"]
    fleet.kill(cache)
    fleet.moment()
    fleet.revive(cache)


def test_a_killed_cache_fails_nothing(survives: Callable[..., object]) -> None:
    survives(cache_killed)
