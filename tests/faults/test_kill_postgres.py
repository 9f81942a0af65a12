"""PostgreSQL crashes."""

from collections.abc import Callable
from contextlib import suppress

import psycopg

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike


@strike("PostgreSQL, shut down `immediate`")
def postgres_crashed(fleet: Fleet) -> None:
    """The API answers 503 until it is back; open transactions are undone, paid answers are in the cache."""
    fleet.until(fleet.under_way, "nothing is under way")
    # Where an answer waits to be written; the lock goes with the server.
    with suppress(psycopg.OperationalError), fleet.locked("LOCK TABLE pending IN SHARE MODE"):
        fleet.until(lambda: fleet.waiting("%DELETE FROM pending p USING%") or not fleet.under_way(), "no answer came")
        fleet.crash_postgres()


def test_a_crash_of_postgresql_undoes_no_job(survives: Callable[..., object]) -> None:
    survives(postgres_crashed)
