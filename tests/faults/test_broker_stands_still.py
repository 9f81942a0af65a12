"""The broker takes nothing: it is full, or it stands still."""

import time
from collections.abc import Callable

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike


@strike("the broker, full: `OOM command not allowed`")
def broker_full(fleet: Fleet) -> None:
    """Jobs are accepted and wait in PostgreSQL; workers stay, and go on when there is room."""
    with fleet.blow(), fleet.redis() as redis:
        redis.config_set("maxmemory", 1)
        fleet.moment(1, 2)
        redis.config_set("maxmemory", 0)


@strike("the broker, stopped with SIGSTOP (7 s; 90 s in the soak)")
def broker_paused(fleet: Fleet) -> None:
    """The API answers 202 as before; connections that hang are noticed, and workers go on afterwards."""
    with fleet.paused(fleet.servers["redis-broker"]):
        time.sleep(fleet.pause_s)


def test_a_full_broker_takes_no_job_and_loses_none(survives: Callable[..., object]) -> None:
    survives(broker_full)


def test_a_broker_that_stands_still_loses_nothing(survives: Callable[..., object]) -> None:
    survives(broker_paused)
