"""The platform as it is struck: two general workers, one of them behind proxies, a relay, beat, two tenants."""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, LiteralString, NamedTuple, Self

import psutil
import psycopg
from redis import Redis

from dbrag.devstack.apps import Apps
from dbrag.devstack.process import Process, Spec
from dbrag.devstack.servers import Servers
from dbrag.devstack.watchdog import family
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.shelf import Shelf
from tests.provider.process import ProviderServer
from tests.provider.stats import Flight
from tests.running import ROOT, Platform

TENANTS = ("acme", "globex")
PATIENCE_S = 30
MAX_TOKENS = 40
# The answer is on its way from the provider to the cache for so long at most, on a machine that is busy.
ON_ITS_WAY_S = 0.3

WAITING = """SELECT FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND application_name = 'dbrag' AND query LIKE %s"""

FRESH = """
    SELECT format('generation_%%s_segment_%%s', g.id, s.id) FROM segments s JOIN generations g ON g.id = s.generation_id
    JOIN collections c ON c.id = g.collection_id WHERE s.status = 'fresh' AND c.name = %s"""


class Blow(NamedTuple):
    """When it fell and when it was over (Unix time).

    Requests that were in flight then may be sent again; so may those that were answered up to `margin_s` before, and
    those that were sent up to `late_s` afterwards. `margin_s` None: it interrupts none, and excuses nothing.
    """

    began_at: float
    ended_at: float
    margin_s: float | None = None
    late_s: float = 0


class Fleet(Platform):
    """What a strike may do to it. Only one thread strikes."""

    @classmethod
    @contextmanager
    def start(cls, folder: Path, pause_s: float = 7.0) -> Iterator[Self]:
        """All started and ready; all gone afterwards. `pause_s`: how long what is paused stays so."""
        with ExitStack() as stack, ProviderServer() as provider, Servers.start(folder) as servers:
            fleet = cls(servers, provider, {"DBRAG_SEGMENT_ROWS": "400"})
            stack.callback(fleet.close)
            fleet.reinforce(stack)
            fleet.pause_s = pause_s
            yield fleet

    def reinforce(self, stack: ExitStack) -> None:
        """Starts what a platform for tests does without."""
        env = self.servers.env
        self.near_broker = stack.enter_context(Proxy(env["CELERY_BROKER_URL"]))
        self.near_database = stack.enter_context(Proxy(env["DATABASE_URL"]))
        near = {"CELERY_BROKER_URL": self.near_broker.near_url, "DATABASE_URL": self.near_database.near_url}
        far = Apps(ROOT, self.servers.folder, env | near).worker("worker-far", "far", concurrency=2)
        asked = self.apps.worker("worker-far", "far")  # whether it is ready is not asked through its proxy
        self.far_worker = self.servers.spawn(replace(far, ready=asked.ready))
        self.beat = self.servers.spawn(self.apps.beat())
        self.servers.wait_until_ready()
        self.tenants = {tenant: self.client_for(tenant) for tenant in TENANTS}
        self.random = random.Random()
        self.blows: list[Blow] = []
        self.unheard: list[tuple[float, float]] = []
        self.fell = Counter[str]()

    @property
    def workers(self) -> list[Process]:
        """Both."""
        return [self.worker, self.far_worker]

    def shelves(self, collection: str) -> list[Shelf]:
        """An empty shelf of this name for each tenant."""
        self.collection_name = collection
        body = {"dimensions": 64, "chunking": {"max_tokens": MAX_TOKENS, "overlap_tokens": 0}}
        for client in self.tenants.values():
            make = partial(client.put, f"/collections/{collection}", json=body)
            self.until(lambda make=make: make().is_success, "the API does not come back")
        return [Shelf(client, tenant, collection) for tenant, client in self.tenants.items()]

    @contextmanager
    def blow(self, margin_s: float | None = None, late_s: float = 0) -> Iterator[None]:
        """Around what strikes; not around the repair. See `Blow`: without a margin, no text may be paid again."""
        began_at = time.time()
        try:
            yield
        finally:
            self.blows.append(Blow(began_at, time.time(), margin_s, late_s))

    def kill(self, *processes: Process, margin_s: float = ON_ITS_WAY_S) -> None:
        """`kill -9` to each with all its descendants, at once as far as that goes; only workers have requests."""
        with self.blow(margin_s if any(process in self.workers for process in processes) else None):
            for process in processes:
                process.kill()

    def revive(self, *processes: Process) -> None:
        """Starts them again, without waiting for them."""
        for process in processes:
            process.spawn()

    def stand_up(self, *processes: Process, patience_s: float = PATIENCE_S) -> None:
        """These (or all) run and are ready; what ended by itself is counted and started, as a supervisor would."""
        deadline = time.monotonic() + patience_s
        for process in processes or self.servers.processes.values():
            while not (process.running and process.spec.ready()):
                if not process.running:
                    self.fell[f"{process.farewell()}{last_words(process)}"] += 1
                    process.reap()
                    process.spawn()
                assert time.monotonic() < deadline, f"{process.spec.name} does not come up: see {process.log}"
                time.sleep(0.1)

    @contextmanager
    def paused(self, *processes: Process) -> Iterator[None]:
        """SIGSTOP to each with all its descendants, SIGCONT afterwards."""
        with self.blow(), self._unheard(processes):
            stopped = [relative for process in processes for relative in family(process.pid)]
            try:
                for relative in stopped:
                    relative.suspend()
                yield
            finally:
                for relative in reversed(stopped):
                    if relative.is_running():
                        relative.resume()

    @contextmanager
    def _unheard(self, processes: Sequence[Process]) -> Iterator[None]:
        """Notes when workers stood still: what the provider answers then, they hear afterwards."""
        began_at = time.time()
        try:
            yield
        finally:
            if any(process in self.workers for process in processes):
                self.unheard.append((began_at, time.time()))

    def heard_at(self, flight: Flight) -> float:
        """When its worker had the answer, and could put it into the cache (Unix time)."""
        ended_at = flight.ended_at
        for began_at, until in self.unheard:
            if flight.began_at <= until and ended_at + ON_ITS_WAY_S >= began_at:
                ended_at = max(ended_at, until)
        return ended_at

    @contextmanager
    def beside(self, spec: Spec, margin_s: float | None = None) -> Iterator[Process]:
        """One more process for the time of the block; it ends in good order, or (`margin_s`) its end is a blow."""
        process = self.servers.launch(spec)
        try:
            yield process
        finally:
            with self.blow(margin_s):
                process.stop()
            del self.servers.processes[spec.name]

    def crash_postgres(self) -> None:
        """PostgreSQL's `immediate` shutdown, and its start; a recovery follows."""
        postgres = self.servers["postgres"]
        with self.blow():
            os.kill(postgres.pid, signal.SIGQUIT)
            self.until(lambda: not postgres.running, "PostgreSQL goes on")
        postgres.reap()
        postgres.start()

    def given_up(self, flights: Sequence[Flight]) -> list[tuple[Blow, list[str]]]:
        """When workers gave up on the provider, and the jobs whose texts they had sent, as their logs say.

        They were too slow, or the machine was: what they waited for then may have been answered all the same.
        """
        since = min((flight.began_at for flight in flights), default=0.0)
        lines = [
            line
            for file in self.worker.log.parent.glob("worker*.log")
            for line in file.read_text(errors="replace").splitlines()
        ]
        said = [json.loads(line) for line in lines if line.startswith("{") and '"claim_id"' in line]
        jobs = {each["claim_id"]: each["jobs"] for each in said if each["event"] == "embedding"}
        failed = [
            (datetime.fromisoformat(each["timestamp"]).timestamp(), jobs.get(each["claim_id"], []))
            for each in said
            if each["event"] == "the provider gave nothing" and each["code"] == "provider_failed"
        ]
        timeout_s = self.settings.provider_timeout_s
        return [(Blow(moment - timeout_s, moment, 0), of_jobs) for moment, of_jobs in failed if moment >= since]

    def fresh_segment(self) -> str:
        """The table of one of the collection under load, into which vectors are copied; "" while there is none."""
        with self.database() as conn:
            row = conn.execute(FRESH, [self.collection_name]).fetchone()
        return row[0] if row else ""

    @contextmanager
    def redis(self) -> Iterator["Redis"]:
        """The broker, as an operator reaches it."""
        with Redis.from_url(self.servers.env["CELERY_BROKER_URL"], decode_responses=False) as client:
            yield client

    @contextmanager
    def locked(self, *statements: LiteralString | psycopg.sql.Composed) -> Iterator[psycopg.Connection[Any]]:
        """A transaction that has done these statements and keeps their locks until the end of the block."""
        with self.database() as conn:
            for statement in statements:
                conn.execute(statement)
            yield conn
            conn.rollback()

    def waiting(self, query: str) -> bool:
        """Whether a worker waits for a lock with a statement like this."""
        with self.database() as conn:
            return conn.execute(WAITING, [query]).fetchone() is not None

    def until(self, holds: Callable[[], object], otherwise: str, patience_s: float = PATIENCE_S) -> None:
        """Waits for a condition. Fails with `otherwise`."""
        deadline = time.monotonic() + patience_s
        while not holds():
            assert time.monotonic() < deadline, otherwise
            time.sleep(0.02)

    def moment(self, least_s: float = 0.1, most_s: float = 0.8) -> None:
        """A random time: how long a fault lasts, or when it comes; nothing waits for anything here."""
        time.sleep(self.random.uniform(least_s, most_s))

    def under_way(self) -> bool:
        """Whether texts are with the provider."""
        return bool(self.provider.senders())

    def sends(self, process: psutil.Process) -> bool:
        """Whether it, or one of its descendants, waits for an answer of the provider."""
        senders = set(self.provider.senders())
        return any(senders & ports(relative) for relative in [process, *process.children(recursive=True)])

    def busy_worker(self) -> Process:
        """A worker that waits for an answer of the provider, after waiting for one; the choice is random."""
        workers = self.random.sample(self.workers, 2)
        busy: list[Process] = []
        self.until(
            lambda: busy.extend(worker for worker in workers if self.sends(psutil.Process(worker.pid))) or busy,
            "no worker asks the provider",
        )
        return busy[0]


def overlapping(began_at: float, ended_at: float, blows: Iterable[Blow]) -> bool:
    """Whether a request was in flight when one of the blows fell."""
    return any(
        blow.margin_s is not None
        and began_at <= blow.ended_at + blow.late_s
        and ended_at + blow.margin_s >= blow.began_at
        for blow in blows
    )


def last_words(process: Process) -> str:
    """Why it ended, if it is a worker that says so: the last of its log that is critical."""
    said = [line for line in process.log.read_text(errors="replace").splitlines() if '"level": "critical"' in line]
    return f": {json.loads(said[-1])['event']}" if said and said[-1].startswith("{") else ""


def ports(process: psutil.Process) -> set[int]:
    """Of its connections, on its own side."""
    try:
        return {connection.laddr.port for connection in process.net_connections("tcp4")}
    except psutil.NoSuchProcess:
        return set()
