"""The relay: publishes what was accepted, and brings back what was lost. A process of its own; several may run.

Each duty is one bounded pass in its own transaction. A duty that fails is logged, and tried again in the next pass.
"""

import signal
from collections.abc import Callable, Iterable
from functools import partial
from threading import Event
from time import monotonic
from types import FrameType
from uuid import UUID

import psycopg
import structlog
from prometheus_client import REGISTRY, Counter, Histogram
from psycopg_pool import PoolTimeout

from dbrag.database.pool import Connection, Pool, open_pool
from dbrag.database.queries import beside
from dbrag.documents import endings
from dbrag.embedding.waiting import waiting
from dbrag.errors import Permanent, Transient
from dbrag.jobs import canaries, waits, wakes
from dbrag.jobs.broker import Broker
from dbrag.jobs.claims import ClaimLost
from dbrag.jobs.model import Queue
from dbrag.jobs.outbox import publish_due
from dbrag.settings import Settings
from dbrag.telemetry import logs, pools
from dbrag.telemetry.serving import served
from dbrag.telemetry.standing import Standing

SQL = beside(__file__, "relay.sql")
log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
DONE = Counter("dbrag_relay_jobs", "What the relay did, in jobs; in texts where it says so, and in messages.", ["duty"])
FAILED = Counter("dbrag_relay_duty_failures", "Duties that failed and are tried again in the next pass.", ["duty"])
PASSES = Counter("dbrag_relay_passes", "Passes over all duties.")
PASS_S = Histogram("dbrag_relay_pass_seconds", "Time of a pass.")
# Rows a duty touches in one page, and how many pages it turns in a pass.
PASS, PAGES = 500, 10
# Rounds of the outbox in one pass, 200 jobs each.
PUBLISHING_ROUNDS = 10
# Seconds of one pass that ending jobs may take, one after the other.
ENDING_S = 1.0
# A wake-up that nobody followed is repeated after this many seconds, doubling up to the second figure.
WAKE_AGAIN_S, WAKE_AT_MOST_S = 1.0, 5.0


class Relay:
    """The duties, in the order in which a pass does them; each says how many jobs (or texts, or messages) it moved."""

    def __init__(self, pool: Pool, broker: Broker, settings: Settings) -> None:
        self._pool, self._broker, self._settings = pool, broker, settings
        self._wakes: dict[Queue, tuple[float, float]] = {}
        # What a duty has done is counted under this name.
        self._duties: dict[str, Callable[[], int]] = {
            "cancelled": self.end_cancelled,
            "lease_expired": self.free_expired_jobs,
            "exhausted": self.fail_exhausted_jobs,
            "queued_again": self.queue_unsplit_jobs,
            "stranded": self.fail_stranded_jobs,
            "texts_freed": self.free_expired_pending,
            "indexed_again": partial(self._pages, waits.end_for_index),
            "held_for_index": partial(self._pages, waits.hold_for_index),
            "resumed": partial(self._pages, waits.end_paused),
            "held_paused": partial(self._pages, waits.hold_paused),
            "provider_again": partial(self._pages, waits.end_for_provider),
            "held_for_provider": partial(self._pages, waits.hold_for_provider),
            "within_budget": partial(self._pages, waits.end_for_budget),
            "held_for_budget": partial(self._pages, waits.hold_for_budget),
            "consumed_again": self.end_without_consumer,
            "held_without_consumer": self.hold_without_consumer,
            "published_again": self.mark_lost,
            "published": self.publish,
            "canaries_sent": self.send_canaries,  # behind those two, for whom an empty queue is a sign
            "woken": self.wake_embedders,
        }
        for name in self._duties:
            DONE.labels(name)  # so that it is there with 0 before it happens
            FAILED.labels(name)

    def run_pass(self) -> None:
        """Does each duty once."""
        with PASS_S.time():
            for name, duty in self._duties.items():
                try:
                    DONE.labels(name).inc(duty())
                except (psycopg.Error, PoolTimeout, Transient) as exc:
                    FAILED.labels(name).inc()
                    log.warning("duty failed; the next pass tries again", duty=name, error=str(exc))
        PASSES.inc()

    def _pages(self, turn_page: Callable[[Connection, Settings], int]) -> int:
        """Pages until there is no whole one left, each in its transaction, and not without end."""
        done = 0
        for _ in range(PAGES):
            with self._pool.connection() as conn:
                moved = turn_page(conn, self._settings)
            done += moved
            if moved < waits.PAGE:
                break
        return done

    def publish(self) -> int:
        """Publishes what the doors and workers did not, or what is due again."""
        done = 0
        for _ in range(PUBLISHING_ROUNDS):
            taken = publish_due(self._pool, self._broker, self._settings)
            done += taken
            if not taken:
                break
        return done

    def send_canaries(self) -> int:
        """Sends each queue a message whose only work is to be taken."""
        lengths = self._broker.lengths()
        if lengths is None:
            return 0
        with self._pool.connection() as conn:
            due = canaries.due(conn, [queue for queue in Queue if lengths[queue] == 0], self._settings)
        for queue in due:
            self._broker.send_canary(queue)
        return len(due)

    def end_without_consumer(self) -> int:
        """Lets jobs go on whose queue is served."""
        with self._pool.connection() as conn:
            served = set(Queue) - canaries.unconsumed(conn, self._settings)
        return self._pages(lambda conn, _: waits.end_without_consumer(conn, served))

    def hold_without_consumer(self) -> int:
        """Has jobs say so whose queue nobody serves; while the broker is away nobody can know."""
        with self._pool.connection() as conn:
            unserved = canaries.unconsumed(conn, self._settings)
        if not unserved or self._broker.lengths() is None:
            return 0
        return self._pages(lambda conn, _: waits.hold_without_consumer(conn, unserved))

    def mark_lost(self) -> int:
        """Marks jobs that no message covers any more: Redis was emptied, or a worker died while fetching."""
        lengths = self._broker.lengths()
        if lengths is None:
            return 0
        done = 0
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
            done += len(lost)
        return done

    def free_expired_jobs(self) -> int:
        """Lets other workers continue jobs whose worker has died."""
        with self._pool.connection() as conn:
            freed = conn.execute(
                SQL.expired_jobs, {"max_attempts": self._settings.max_attempts, "limit": PASS}
            ).fetchall()
        for row in freed:
            log.info("lease expired; the job is tried again", job_id=str(row[0]))
        return len(freed)

    def queue_unsplit_jobs(self) -> int:
        """Lets a worker go on with jobs that nobody works at though they are not split."""
        with self._pool.connection() as conn:
            queued = conn.execute(SQL.unsplit_jobs, {"limit": PASS}).rowcount
        if queued:
            log.error("jobs were left half split; this is a defect of dbrag", jobs=queued)
        return queued

    def fail_exhausted_jobs(self) -> int:
        """Fails jobs whose worker died in the last attempt that they had."""
        error = Permanent(
            "its workers died, attempt after attempt: see the workers' logs for this job",
            code="worker_lost",
        )
        limits = {
            "max_attempts": self._settings.max_attempts,
            "lease_s": self._settings.lease_s,
            "limit": PASS,
        }
        with self._pool.connection() as conn:
            exhausted = dict(conn.execute(SQL.exhausted_jobs, limits).fetchall())
        return self._end(exhausted, lambda conn, job_id: endings.fail(conn, job_id, error, exhausted[job_id]))

    def fail_stranded_jobs(self) -> int:
        """Ends jobs that nothing else would ever end."""
        error = Permanent("its documents are gone, or were never split: send them again", code="stranded")
        with self._pool.connection() as conn:
            stranded = [row[0] for row in conn.execute(SQL.stranded_jobs, {"limit": PASS})]
        if stranded:
            log.error("jobs waited for nothing; this is a defect of dbrag", jobs=[str(job_id) for job_id in stranded])
        return self._end(stranded, lambda conn, job_id: endings.fail(conn, job_id, error))

    def free_expired_pending(self) -> int:
        """Lets other workers embed texts whose worker has died."""
        with self._pool.connection() as conn:
            return conn.execute(SQL.expired_pending, {"limit": 10 * PASS}).rowcount

    def end_cancelled(self) -> int:
        """Ends jobs that were asked to stop."""
        with self._pool.connection() as conn:
            cancelling = [row[0] for row in conn.execute(SQL.cancelling, {"limit": PASS})]
        return self._end(cancelling, endings.cancel)

    def _end(self, job_ids: Iterable[UUID], end: Callable[[Connection, UUID], None]) -> int:
        """Each in a transaction of its own, so that one that cannot be ended now is in nobody's way."""
        ended, deadline = 0, monotonic() + ENDING_S
        for job_id in job_ids:
            if monotonic() > deadline:  # a large job takes seconds; others wait to be published
                break
            try:
                with self._pool.connection() as conn:
                    end(conn, job_id)
                ended += 1
            except ClaimLost:
                log.info("job not ended: it was cancelled, or another relay ends it", job_id=str(job_id))
            except psycopg.Error as exc:
                log.warning("job not ended; a later pass tries again", job_id=str(job_id), error=str(exc))
        return ended

    def wake_embedders(self) -> int:
        """Makes sure that pending texts are looked at, however their wake-up was lost or their wait has ended."""
        with self._pool.connection() as conn:
            claimable = {list(Queue)[one.queue_rank] for one in waiting(conn, self._settings)}
        self._wakes = {queue: wake for queue, wake in self._wakes.items() if queue in claimable}
        due = [queue for queue in claimable if monotonic() >= self._wakes.get(queue, (0.0, 0.0))[0]]
        lengths = (self._broker.lengths() or {}) if due else {}
        woken = 0
        for queue in due:
            woken += wakes.send(self._pool, self._broker, queue, self._settings, missed=lengths.get(queue) == 0)
            _, pause_s = self._wakes.get(queue, (0.0, WAKE_AGAIN_S))
            self._wakes[queue] = (monotonic() + pause_s, min(2 * pause_s, WAKE_AT_MOST_S))
        return woken


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
    relay, standing = Relay(pool, broker, settings), Standing(settings)
    REGISTRY.register(standing)
    log.info("relay started", interval_s=settings.relay_interval_s)
    try:
        with served(settings.relay_metrics_address, REGISTRY, "DBRAG_RELAY_METRICS"):
            while not stopping.wait(settings.relay_interval_s):
                relay.run_pass()
                pools.count(pool)
    finally:
        REGISTRY.unregister(standing)
        broker.close()
        pool.close()
