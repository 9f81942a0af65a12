"""One fleet for all faults, and the seed that says when and where each strikes."""

import os
import random
from collections.abc import Callable, Iterator

import pytest

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import Strike
from tests.faults.harness.trial import Trial, survive

SEED = int(os.environ.get("DBRAG_FAULT_SEED") or random.SystemRandom().randrange(10**6))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"faults: DBRAG_FAULT_SEED={SEED} strikes at the same moments again")


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two workers and all that belongs to them."""
    with Fleet.start(tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


@pytest.fixture
def survives(fleet: Fleet) -> Callable[..., Trial]:
    """Strikes the fleet under load and checks everything; prints the seed first."""

    def strike(*strikes: Strike) -> Trial:
        print(f"DBRAG_FAULT_SEED={SEED}")
        trial = Trial(strikes)
        survive(fleet, trial, SEED)
        return trial

    return strike
