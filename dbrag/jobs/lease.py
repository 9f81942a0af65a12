"""Keeping a claim alive through work that outlasts a lease."""

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import psycopg
import structlog

from dbrag.database.pool import Connection, Pool
from dbrag.jobs import claims
from dbrag.jobs.claims import ClaimLost
from dbrag.jobs.model import Claim
from dbrag.settings import Settings

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@contextmanager
def kept_alive(
    pool: Pool,
    claim: Claim,
    settings: Settings,
    *,
    report: Callable[[Connection], None] = lambda conn: None,
    stop: Callable[[], None] = lambda: None,
) -> Generator[None]:
    """Renews the claim three times a lease while the block runs; a claim that is lost is not taken back.

    Both from a thread of its own: `report` writes how far the block is, with each renewal; `stop` interrupts the block
    once the claim is lost.
    """
    done = Event()

    def renew() -> None:
        while not done.wait(settings.lease_s / 3):
            try:
                with pool.connection() as conn:
                    claims.renew(conn, claim, settings)
                    report(conn)
            except ClaimLost:
                with suppress(psycopg.Error):
                    stop()  # again and again: it may come between two statements
            except psycopg.Error as exc:
                log.warning("claim not renewed", job_id=str(claim.id), error=str(exc))

    thread = Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
