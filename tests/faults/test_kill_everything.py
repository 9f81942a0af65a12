"""Everything is killed at once, as by a machine that loses power."""

from collections.abc import Callable

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike


@strike("the whole stack at once, `kill -9`", forgets=True)
def everything_killed(fleet: Fleet) -> None:
    """All that was accepted goes on after the start; what had been answered and not been written is paid again."""
    everything = list(fleet.servers.processes.values())
    fleet.until(fleet.under_way, "nothing is under way")
    with fleet.blow(margin_s=5):
        for process in reversed(everything):
            process.kill()
    for process in everything:
        if process.spec.serves:
            process.start()
    fleet.revive(*(process for process in everything if not process.spec.serves))


def test_a_power_failure_loses_nothing_that_was_accepted(survives: Callable[..., object]) -> None:
    survives(everything_killed)
