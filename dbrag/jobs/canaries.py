"""Canaries: one small message a queue a minute, whose only work is to be taken; they tell who is served."""

from collections.abc import Collection

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.jobs.model import Queue
from dbrag.settings import Settings

SQL = beside(__file__, "canaries.sql")
# In leases: how often one is sent, how long a queue may show no sign of a worker, and after how long one is taken for
# lost though its queue is not empty; 60, 150 and 600 s by default.
EVERY, PATIENCE, LOST = 1.0, 2.5, 10.0


def due(conn: Connection, empty: Collection[Queue], settings: Settings) -> list[Queue]:
    """Queues whose next canary the caller is to send; `empty` are those in which no message waits."""
    rows = conn.execute(
        SQL.due_canaries,
        {
            "every_s": EVERY * settings.lease_s,
            "lost_s": LOST * settings.lease_s,
            "empty": [queue.value for queue in empty],
        },
    )
    return [Queue(row[0]) for row in rows]


def seen(conn: Connection, queue: Queue) -> None:
    """A worker took the queue's canary."""
    conn.execute(SQL.canary_seen, {"queue": queue})


def unconsumed(conn: Connection, settings: Settings) -> set[Queue]:
    """Queues that no worker serves."""
    rows = conn.execute(SQL.unconsumed, {"patience_s": PATIENCE * settings.lease_s})
    return {Queue(row[0]) for row in rows}
