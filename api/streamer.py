"""All streams of events of this process, in one thread: it looks once a second for all, and waits for no reader."""

import resource
import selectors
import socket
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from threading import Lock, Thread
from time import monotonic
from uuid import UUID

import psycopg
import structlog
from prometheus_client import Counter as Count
from prometheus_client import Gauge
from psycopg_pool import PoolTimeout

from api.frames import KEEP_ALIVE, Seen, frames
from api.reader import Gone, Reader
from dbrag.errors import Transient
from dbrag.jobs.events import Sight, Watch

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
STREAMS_OPEN = Gauge("dbrag_event_streams", "Open streams of a job's events.", multiprocess_mode="livesum")
STREAMS_ENDED = Count(
    "dbrag_event_streams_ended",
    "Streams that ended, and why: end (of the job), gone (the reader), slow (it read nothing), aged.",
    ["why"],
)
LOOK_EVERY_S = 1.0
# A comment goes out at the first look after so long a silence: every 15 s at the latest.
KEEP_ALIVE_S = 15.0 - LOOK_EVERY_S
# A reader that takes nothing of what waits for it for so long is dropped; it can resume.
STALLED_S = 30.0
# A stream is closed after so long, and its reader comes again with its key, which may have been revoked meanwhile.
LIFE_S = 3600.0
# Of one process, and of one tenant in it; never more than half of the descriptors that the process may open.
STREAMS, STREAMS_OF_A_TENANT = 1_000, 600
RETRY_AFTER_S = 10.0

Look = Callable[[Collection[Watch]], dict[Watch, Sight]]


class Streamer:
    """Its thread has the readers for itself; other threads only add some, and ask how many there are."""

    def __init__(self, look: Look, *, stalled_s: float = STALLED_S, of_a_tenant: int = STREAMS_OF_A_TENANT) -> None:
        self._look, self._stalled_s, self._of_a_tenant = look, stalled_s, of_a_tenant
        self._readers: set[Reader] = set()
        self._coming: list[Reader] = []
        self._of: Counter[UUID] = Counter()
        self._changing, self._closing = Lock(), False
        self._selector = selectors.DefaultSelector()
        self._bell, self._ears = socket.socketpair()
        self._ears.setblocking(False)
        self._selector.register(self._ears, selectors.EVENT_READ)
        self._thread = Thread(target=self._run, name="streamer", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive() and not self._closing

    def check(self, tenant_id: UUID) -> None:
        """Whether there may be one more; a few that come at the same moment may exceed that. Raises: Transient."""
        with self._changing:
            of_tenant, of_all = self._of[tenant_id], self._of.total()
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        bound = min(STREAMS, files // 2) if files != resource.RLIM_INFINITY else STREAMS
        if of_all >= bound or of_tenant >= self._of_a_tenant:
            raise Transient(
                f"{of_tenant} streams of yours are open here, {of_all} in all: close those that nobody reads, or poll "
                "GET /v1/jobs/{id}",
                code="too_many_streams",
                retry_after_s=RETRY_AFTER_S,
            )

    def add(self, reader: Reader) -> None:
        """Serves this reader from now on, until it has all; from any thread."""
        with self._changing:
            self._of[reader.tenant_id] += 1
            self._coming.append(reader)
        self._ring()

    def close(self) -> None:
        """Closes all streams; their readers resume elsewhere."""
        self._closing = True
        self._ring()
        self._thread.join(timeout=10)

    def _ring(self) -> None:
        with suppress(OSError):  # it has ended
            self._bell.send(b"\0")

    def _run(self) -> None:
        look_at = 0.0
        try:
            while not self._closing:
                self._wait(max(0.0, look_at - monotonic()) if self._readers else None)
                self._adopt()
                if self._readers and monotonic() >= look_at:
                    look_at = monotonic() + LOOK_EVERY_S
                    self._tend()
        finally:
            self._closing = True
            for reader in [*self._readers, *self._coming]:
                reader.close()
            STREAMS_OPEN.set(0)
            self._selector.close()
            self._bell.close()
            self._ears.close()

    def _wait(self, timeout_s: float | None) -> None:
        """Until it is time to look, somebody comes or goes, or can be sent more."""
        for key, ready in self._selector.select(timeout_s):
            if key.fileobj is self._ears:
                self._ears.recv(4096)
                continue
            reader: Reader = key.data
            try:
                if ready & selectors.EVENT_READ:
                    reader.listen()
                if ready & selectors.EVENT_WRITE:
                    self._push(reader, b"")
            except Gone:
                self._drop(reader, "gone")

    def _adopt(self) -> None:
        with self._changing:
            coming, self._coming = self._coming, []
        for reader in coming:
            self._selector.register(reader.connection, selectors.EVENT_READ, reader)
            self._readers.add(reader)
            self._send(reader, b"")  # its head
        self._show(self._ready(coming))
        STREAMS_OPEN.set(len(self._readers))

    def _ready(self, readers: Iterable[Reader]) -> list[Reader]:
        """Those that have been sent all there was: the others get nothing more before, so nothing piles up."""
        return [reader for reader in readers if reader in self._readers and not reader.unsent]

    def _tend(self) -> None:
        """Shows everybody what is new, keeps quiet connections alive, and drops whom nothing reaches."""
        now = monotonic()
        for reader in list(self._readers):
            if reader.unsent and now - reader.moved_at > self._stalled_s:
                self._drop(reader, "slow")
            elif now - reader.began_at > LIFE_S:
                self._drop(reader, "aged")
        self._show(self._ready(self._readers))
        for reader in self._ready(self._readers):
            if now - reader.moved_at >= KEEP_ALIVE_S:
                self._send(reader, KEEP_ALIVE)

    def _show(self, readers: list[Reader]) -> None:
        """Sends these readers what they have not seen."""
        if not readers:
            return
        try:
            sights = self._look({reader.watch for reader in readers})
        except (psycopg.Error, PoolTimeout) as exc:
            log.warning("streams stand still while the database is away", streams=len(readers), error=str(exc))
            return
        made: dict[tuple[Watch, Seen], tuple[bytes, Seen, bool]] = {}
        for reader in readers:
            sight = sights.get(reader.watch)
            if sight is None:  # the job is gone
                self._drop(reader, "end")
                continue
            key = (reader.watch, reader.seen)
            if key not in made:
                made[key] = frames(reader.seen, sight)
            data, reader.seen, reader.over = made[key]
            if data:
                self._send(reader, data)

    def _send(self, reader: Reader, data: bytes) -> None:
        try:
            self._push(reader, data)
        except Gone:
            self._drop(reader, "gone")

    def _push(self, reader: Reader, data: bytes) -> None:
        reader.push(data)
        if reader.over and not reader.unsent:
            self._drop(reader, "end")
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if reader.unsent else 0)
        if self._selector.get_key(reader.connection).events != wanted:
            self._selector.modify(reader.connection, wanted, reader)

    def _drop(self, reader: Reader, why: str) -> None:
        self._selector.unregister(reader.connection)
        self._readers.discard(reader)
        reader.close()
        with self._changing:
            self._of[reader.tenant_id] -= 1
        STREAMS_OPEN.set(len(self._readers))
        STREAMS_ENDED.labels(why).inc()
