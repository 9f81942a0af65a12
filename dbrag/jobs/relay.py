"""The relay: publishes what was accepted, and brings back what was lost. A process of its own; several may run.

Each duty is one bounded pass in its own transaction. A duty that fails is logged, and tried again in the next pass.
"""

import signal
from collections.abc import Callable, Iterable
from threading import Event
from time import monotonic
from types import FrameType
from uuid import UUID

import psycopg
import structlog

from dbrag.database.pool import Connection, Pool, open_pool
from dbrag.database.queries import beside
from dbrag.documents import endings
from dbrag.embedding.waiting import waiting
from dbrag.errors import Permanent, Transient
from dbrag.jobs.broker import Broker
from dbrag.jobs.model import Queue
from dbrag.jobs.outbox import publish_due
from dbrag.settings import Settings
from dbrag.telemetry import logs
from dbrag.vectors import index

SQL = beside(__file__, "relay.sql")
log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
# Rows a duty touches in one pass.
PASS = 500
# Rounds of the outbox in one pass, 200 jobs each.
PUBLISHING_ROUNDS = 10
# A wake-up that nobody followed is repeated after this many seconds, doubling up to the second figure.
WAKE_AGAIN_S, WAKE_AT_MOST_S = 1.0, 5.0


class Relay:
    """The duties, in the order in which a pass does them."""

    def __init__(self, pool: Pool, broker: Broker, settings: Settings) -> None:
        self._pool, self._broker, self._settings = pool, broker, settings
        self._wakes: dict[Queue, tuple[float, float]] = {}

    def run_pass(self) -> None:
        """Does each duty once."""
        duties: tuple[Callable[[], object], ...] = (
            self.end_cancelled,
            self.free_expired_jobs,
            self.fail_exhausted_jobs,
            self.fail_stranded_jobs,
            self.free_expired_pending,
            self.hold_for_index,
            self.mark_lost,
            self.publish,
            self.wake_embedders,
        )
        for duty in duties:
            try:
                duty()
            except (psycopg.Error, Transient) as exc:
                log.warning("duty failed; the next pass tries again", duty=duty.__name__, error=str(exc))

    def publish(self) -> None:
        """Publishes what the doors could not, or what is due again."""
        for _ in range(PUBLISHING_ROUNDS):
            if not publish_due(self._pool, self._broker, self._settings):
                return

    def mark_lost(self) -> None:
        """Marks jobs that no message covers any more: Redis was emptied, or a worker died while fetching."""
        lengths = self._broker.lengths()
        if lengths is None:
            return
        for queue in Queue:
            with self._pool.connection() as conn:
                lost = conn.execute(
                    SQL.lost,
                    {
                        "queue": queue,
                        "empty": lengths[queue] == 0,
                        "again_s": self._settings.publish_again_s,
                        "limit": PASS,
                    },
                ).fetchall()
            if lost:
                log.info("publishing again what no message covers", queue=queue.value, jobs=len(lost))

    def free_expired_jobs(self) -> None:
        """Lets other workers continue jobs whose worker has died."""
        with self._pool.connection() as conn:
            freed = conn.execute(
                SQL.expired_jobs, {"max_attempts": self._settings.max_attempts, "limit": PASS}
            ).fetchall()
        for row in freed:
            log.info("lease expired; the job is tried again", job_id=str(row[0]))

    def fail_exhausted_jobs(self) -> None:
        """Fails jobs whose worker died in the last attempt that they had."""
        error = Permanent(
            f"its worker died in each of {self._settings.max_attempts} attempts: see the workers' logs for this job",
            code="worker_lost",
        )
        limits = {
            "max_attempts": self._settings.max_attempts,
            "lease_s": self._settings.lease_s,
            "limit": PASS,
        }
        with self._pool.connection() as conn:
            exhausted = [row[0] for row in conn.execute(SQL.exhausted_jobs, limits)]
        self._end(exhausted, lambda conn, job_id: endings.fail(conn, job_id, error))

    def fail_stranded_jobs(self) -> None:
        """Ends jobs that nothing else would ever end."""
        error = Permanent("its documents are gone, or were never split: send them again", code="stranded")
        with self._pool.connection() as conn:
            stranded = [row[0] for row in conn.execute(SQL.stranded_jobs, {"limit": PASS})]
        if stranded:
            log.error("jobs waited for nothing; this is a defect of dbrag", jobs=[str(job_id) for job_id in stranded])
        self._end(stranded, lambda conn, job_id: endings.fail(conn, job_id, error))

    def free_expired_pending(self) -> None:
        """Lets other workers embed texts whose worker has died."""
        with self._pool.connection() as conn:
            conn.execute(SQL.expired_pending, {"limit": 10 * PASS})

    def hold_for_index(self) -> None:
        """Has jobs whose collection has too many vectors without an index say so, and go on once it is built.

        Their texts are left alone by whoever claims texts (dbrag/embedding/claim.py).
        """
        rows = self._settings.unindexed_rows
        detail = (
            f"more than {rows} vectors of the collection wait for their index; embedding goes on as rebuild_index "
            "catches up. Let more workers serve the queue low, or raise DBRAG_UNINDEXED_ROWS and accept slower searches"
        )
        with self._pool.connection() as conn:
            overdue = {"generation_ids": list(index.overdue(conn, self._settings)), "limit": PASS}
            conn.execute(SQL.indexed_again, overdue)
            conn.execute(SQL.hold_for_index, overdue | {"detail": detail})

    def end_cancelled(self) -> None:
        """Ends jobs that were asked to stop."""
        with self._pool.connection() as conn:
            cancelling = [row[0] for row in conn.execute(SQL.cancelling, {"limit": PASS})]
        self._end(cancelling, endings.cancel)

    def _end(self, job_ids: Iterable[UUID], end: Callable[[Connection, UUID], None]) -> None:
        """Each in a transaction of its own, so that one that cannot be ended now is in nobody's way."""
        for job_id in job_ids:
            try:
                with self._pool.connection() as conn:
                    end(conn, job_id)
            except psycopg.Error as exc:
                log.warning("job not ended; a later pass tries again", job_id=str(job_id), error=str(exc))

    def wake_embedders(self) -> None:
        """Makes sure that pending texts are looked at, however their wake-up was lost or their wait has ended."""
        with self._pool.connection() as conn:
            claimable = {list(Queue)[one.queue_rank] for one in waiting(conn, self._settings)}
        self._wakes = {queue: wake for queue, wake in self._wakes.items() if queue in claimable}
        for queue in claimable:
            due, pause_s = self._wakes.get(queue, (0.0, WAKE_AGAIN_S))
            if monotonic() >= due:
                self._broker.wake(queue)
                self._wakes[queue] = (monotonic() + pause_s, min(2 * pause_s, WAKE_AT_MOST_S))


def run(settings: Settings) -> None:
    """Runs passes until SIGTERM or SIGINT."""
    logs.configure(settings)
    stopping = Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    # Whoever holds a lock for long must not stop the relay.
    pool, broker = open_pool(settings, size=2, options="-c lock_timeout=5s"), Broker(settings)
    relay = Relay(pool, broker, settings)
    log.info("relay started", interval_s=settings.relay_interval_s)
    try:
        while not stopping.wait(settings.relay_interval_s):
            relay.run_pass()
    finally:
        broker.close()
        pool.close()
