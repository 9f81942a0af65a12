"""There are two beats and two relays."""

from collections.abc import Callable
from dataclasses import replace

from celery import Celery

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike


@strike("a second beat, and each of beat's duties twice at the same time")
def two_beats(fleet: Fleet) -> None:
    """Every duty looks first at what is to be done."""
    spec, schedule, log = fleet.beat.spec, fleet.servers.folder / "beat-2", fleet.servers.folder / "logs" / "beat-2.log"
    argv = [f"--schedule={schedule}" if str(word).startswith("--schedule=") else word for word in spec.argv]
    second = replace(spec, name="beat-2", argv=argv, ready=lambda: log.stat().st_size > 0)
    with fleet.beside(second), fleet.blow(), Celery(broker=fleet.servers.env["CELERY_BROKER_URL"]) as celery:
        for duty in ("index_upkeep", "purge_deleted", "recall_probe") * 2:
            celery.send_task(duty, queue="low")
        fleet.moment()


@strike("a second relay")
def two_relays(fleet: Fleet) -> None:
    """They share the work, since each takes the rows that the other has not locked."""
    log = fleet.servers.folder / "logs" / "relay-2.log"
    second = replace(fleet.relay.spec, name="relay-2", ready=lambda: log.stat().st_size > 0)
    with fleet.beside(second), fleet.blow():
        fleet.moment(0.5, 1)


def test_two_beats_and_two_relays_do_nothing_twice(survives: Callable[..., object]) -> None:
    survives(two_beats, two_relays)
