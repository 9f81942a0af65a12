"""Keeping a claim alive through work that outlasts a lease."""

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from time import monotonic

import psycopg
import structlog
from psycopg.errors import QueryCanceled

from dbrag.database.pool import Connection, Pool
from dbrag.jobs import claims
from dbrag.jobs.claims import ClaimLost
from dbrag.jobs.model import Claim
from dbrag.settings import Settings

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
# How often it looks whether the process is to end, in seconds.
LOOK_S = 0.5


class Drained(Exception):
    """The process is to end: the work stops here, and its job goes back."""


@contextmanager
def kept_alive(
    pool: Pool,
    claim: Claim,
    settings: Settings,
    *,
    report: Callable[[Connection], None] = lambda conn: None,
    stop: Callable[[], None] = lambda: None,
    draining: Callable[[], bool] = lambda: False,
) -> Generator[None]:
    """Renews the claim three times a lease while the block runs; a claim that is lost is not taken back.

    Both from a thread of its own: `report` writes how far the block is, with each renewal; `stop` interrupts the block
    once the claim is lost, or the process is `draining`.

    Raises: Drained where the block was interrupted for that.
    """
    done = Event()

    def renew() -> None:
        period_s = settings.lease_s / 3
        due, lost = monotonic() + period_s, False
        while not done.wait(min(LOOK_S, period_s)):
            if monotonic() > due:
                due = monotonic() + period_s
                lost = lost or not _renewed(pool, claim, settings, report)
            if lost or draining():
                with suppress(psycopg.Error):
                    stop()  # again and again: it may come between two statements

    thread = Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    except QueryCanceled as exc:
        if draining():
            raise Drained from exc
        raise
    finally:
        done.set()
        thread.join()


def _renewed(pool: Pool, claim: Claim, settings: Settings, report: Callable[[Connection], None]) -> bool:
    """Whether the claim still stands, as far as anybody knows."""
    try:
        with pool.connection() as conn:
            claims.renew(conn, claim, settings)
            report(conn)
    except ClaimLost:
        return False
    except psycopg.Error as exc:
        log.warning("claim not renewed", job_id=str(claim.id), error=str(exc))
    return True
