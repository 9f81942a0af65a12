"""Several processes killed one after the other under one load, before anything has come to rest."""

from collections.abc import Callable

from tests.faults.harness.strike import all_strikes

KILLS = ("worker killed", "api killed", "relay killed", "broker killed", "postgres crashed", "worker child killed")


def test_strikes_in_a_row_lose_double_and_overpay_nothing(survives: Callable[..., object]) -> None:
    survives(*(strike for strike in all_strikes() if strike.name in KILLS))
