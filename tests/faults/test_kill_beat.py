"""Beat and the relay are killed."""

from collections.abc import Callable

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike


@strike("beat, `kill -9`")
def beat_killed(fleet: Fleet) -> None:
    """No job needs beat: only the upkeep of indexes waits until it runs again."""
    fleet.kill(fleet.beat)
    fleet.moment()
    fleet.revive(fleet.beat)


@strike("the relay, `kill -9`")
def relay_killed(fleet: Fleet) -> None:
    """The API and workers publish what they commit themselves; what they could not, the next relay does."""
    fleet.kill(fleet.relay)
    fleet.moment()
    fleet.revive(fleet.relay)


def test_neither_beat_nor_the_relay_is_missed_for_a_while(survives: Callable[..., object]) -> None:
    survives(beat_killed, relay_killed)
