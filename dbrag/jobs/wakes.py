"""Wake-ups of those who embed: one that nobody has taken is enough, or they would fill a queue that others wait in."""

from contextlib import suppress

from dbrag.database.pool import Pool
from dbrag.database.queries import beside
from dbrag.errors import Transient
from dbrag.jobs.broker import Broker
from dbrag.jobs.model import Queue
from dbrag.settings import Settings

SQL = beside(__file__, "wakes.sql")


def send(pool: Pool, broker: Broker, queue: Queue, settings: Settings, *, missed: bool = False) -> bool:
    """Asks for a worker that embeds what is pending, unless one is asked for already; says whether it did.

    `missed`: the one that was asked for is known to be lost. Where the broker is away the relay does it later.
    """
    order = {"queue": queue, "missed": missed, "lost_s": settings.lease_s}
    with pool.connection() as conn:
        if not conn.execute(SQL.may_wake, order).rowcount:
            return False
    with suppress(Transient):
        broker.wake(queue)
    return True


def taken(pool: Pool, queue: Queue) -> None:
    """A worker follows the wake-up of this queue."""
    with pool.connection() as conn:
        conn.execute(SQL.wake_taken, {"queue": queue})
