"""Publishing what was accepted: one pass over the outbox marks, made by the relay on time and by the doors at once."""

from threading import Event, Thread

import psycopg
import structlog

from dbrag.database.pool import Pool
from dbrag.database.queries import beside
from dbrag.jobs.broker import Broker
from dbrag.jobs.model import Queue
from dbrag.jobs.settle import lock
from dbrag.settings import Settings

SQL = beside(__file__, "relay.sql")
log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
# Jobs of a queue in one pass: what the broker takes in about a tenth of a second.
PASS = 200
# A pass costs PostgreSQL some 2 ms. After one a process rests, so that hundreds of requests a second do not make as
# many; longer where nothing was to be published, mostly since the queues are full: claims make room, and say so.
REST_S, LONG_REST_S = 0.02, 0.1


def publish_due(pool: Pool, broker: Broker, settings: Settings, at_least: int = 1) -> int:
    """Publishes jobs whose mark is due, as many as the queues' windows have room for, where that is `at_least` so many.

    Returns how many the broker took.

    No transaction is open while the broker is asked. A process that dies after publishing leaves a mark that is due
    again later: the job is published twice then, and claimed once.
    """
    with pool.connection() as conn:
        due = conn.execute(
            SQL.due,
            {
                "queues": [queue.value for queue in Queue],
                "window": settings.queue_window,
                "again_s": settings.publish_again_s,
                "limit": PASS,
                "at_least": at_least,
            },
        ).fetchall()
    if not due:
        return 0
    marks = {job_id: mark for job_id, _, _, mark in due}
    taken = broker.publish((job_id, kind, queue) for job_id, kind, queue, _ in due)
    left = list(marks.keys() - set(taken))
    with pool.connection() as conn:
        lock(conn, list(marks))
        conn.execute(SQL.published, {"ids": taken, "marks": [marks[job_id] for job_id in taken]})
        conn.execute(
            SQL.not_published,
            {"ids": left, "marks": [marks[job_id] for job_id in left], "again_s": settings.publish_again_s},
        )
    return len(taken)


class Publisher:
    """Publishes in a thread of its own, so that no request waits for the broker: right after a door has committed, and
    after a worker has claimed a job, since that makes room for the next one.

    It makes the relay's pass early, and may fail or die at any time: the relay does what it left.
    """

    def __init__(self, pool: Pool, broker: Broker, settings: Settings) -> None:
        self._pool, self._broker, self._settings = pool, broker, settings
        self._wanted, self._closing = Event(), Event()
        self._committed = False
        # A worker that published one job after each claim would spend as much on that as on some of the jobs.
        self._refill = max(1, min(settings.queue_window // 4, PASS))
        self._thread = Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def poke(self) -> None:
        """Says that something was committed; returns at once."""
        self._committed = True
        self._wanted.set()

    def refill(self) -> None:
        """Says that a claim made room in a queue, which is filled once a quarter of the window is free; as quick."""
        self._wanted.set()

    def close(self) -> None:
        """Ends the thread after the pass that it is making."""
        self._closing.set()
        self._wanted.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        closing = False
        while not closing and self._wanted.wait():
            self._wanted.clear()
            closing = self._closing.is_set()
            taken = 0
            at_least = self._refill
            if self._committed:
                self._committed = False
                at_least = 1
            try:
                while (taken := publish_due(self._pool, self._broker, self._settings, at_least)) >= PASS:
                    pass
            except psycopg.Error as exc:
                log.warning("publishing is left to the relay", error=str(exc))
            self._closing.wait(REST_S if taken else LONG_REST_S)
