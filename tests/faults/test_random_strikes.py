"""Several processes killed one after the other under one load, before anything has come to rest."""

import random
from collections.abc import Callable

from tests.faults.conftest import SEED
from tests.faults.harness.strike import all_strikes

IN_A_ROW = 3
KILLS = ("worker killed", "api killed", "relay killed", "broker killed", "postgres crashed", "worker child killed")


def test_strikes_in_a_row_lose_double_and_overpay_nothing(survives: Callable[..., object]) -> None:
    kills = [strike for strike in all_strikes() if strike.name in KILLS]
    survives(*random.Random(SEED).sample(kills, IN_A_ROW))
