"""Many readers of event streams, in a process of their own, so that they take no time from who measures requests."""

import json
import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from urllib.parse import urlsplit
from uuid import UUID

PATIENCE_S = 180.0


@dataclass
class Follower:
    """One reader: `ids` are the events that it got, `delays_s` how long each was under way."""

    job_id: UUID
    ids: list[int] = field(default_factory=list[int])
    delays_s: list[float] = field(default_factory=list[float])
    progress: int = 0
    ended: bool = False

    def take(self, frame: str, received_at: float) -> None:
        """Notes one frame; the answer's head comes with the first."""
        lines = frame.rpartition("\r\n\r\n")[2].split("\n")
        fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
        if fields.get("event") == "status":
            self.ids.append(int(fields["id"]))
            happened_at = datetime.fromisoformat(json.loads(fields["data"])["at"]).timestamp()
            self.delays_s.append(received_at - happened_at)
        self.progress += fields.get("event") == "progress"
        self.ended |= fields.get("event") == "end"


class Followers:
    """The readers, once all are connected and each has been shown its job."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def results(self) -> list[Follower]:
        """What each has got, when all streams have ended."""
        if not self._pipe.poll(PATIENCE_S):
            raise SystemExit(f"not all streams have ended after {PATIENCE_S:.0f} s")
        return self._pipe.recv()


@contextmanager
def following(api: str, key: str, job_ids: Sequence[UUID]) -> Iterator[Followers]:
    """One reader for each of `job_ids`, which may name a job several times."""
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    process = processes.Process(target=_follow, args=(theirs, api, key, job_ids), daemon=True)
    process.start()
    try:
        if not ours.poll(PATIENCE_S):
            raise SystemExit(f"not all readers were shown their job after {PATIENCE_S:.0f} s")
        ours.recv()
        yield Followers(ours)
    finally:
        process.terminate()
        process.join()


def _follow(pipe: Connection, api: str, key: str, job_ids: Sequence[UUID]) -> None:
    selector = selectors.DefaultSelector()
    followers = [Follower(job_id) for job_id in job_ids]
    for follower in followers:
        connection = _connected(api, key, follower.job_id)
        selector.register(connection, selectors.EVENT_READ, (follower, bytearray()))
    told, deadline = False, time.monotonic() + PATIENCE_S
    while selector.get_map() and time.monotonic() < deadline:
        for ready, _ in selector.select(1.0):
            assert isinstance(ready.fileobj, socket.socket)
            if not _receive(ready.fileobj, *ready.data):
                selector.unregister(ready.fileobj)
                ready.fileobj.close()
        if not told and all(follower.progress for follower in followers):
            told = True
            pipe.send(None)
    pipe.send(followers)


def _connected(api: str, key: str, job_id: UUID) -> socket.socket:
    where = urlsplit(api)
    connection = socket.create_connection((where.hostname or "", where.port or 80), timeout=PATIENCE_S)
    head = f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {key}\r\n\r\n"
    connection.sendall(head.encode())
    connection.setblocking(False)
    return connection


def _receive(connection: socket.socket, follower: Follower, unread: bytearray) -> bool:
    """Takes what has come; False at the end."""
    received = connection.recv(1 << 16)
    received_at = time.time()
    unread += received
    while (end := unread.find(b"\n\n")) >= 0:
        follower.take(unread[:end].decode(), received_at)
        del unread[: end + 2]
    return bool(received)
