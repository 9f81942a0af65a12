"""How many documents a second the API accepts, one a request, and how long each request takes.

    python -m benchmarks.accept [--requests 10000] [--connections 32] [--bytes 2000] [--json]

It starts fresh PostgreSQL and Redis servers, the API as deploy/gunicorn.conf.py serves it, and the relay, and sends
documents over so many connections, each of which waits for its answer before it sends the next. No worker runs: the
jobs wait. In the same run the same client asks for /healthz, which touches no server: what HTTP alone costs. The client
is a small one (sockets and a selector), since it shares the machine's cores. Nothing else should run on the machine.
"""

import argparse
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from benchmarks.client import Client
from benchmarks.ending import end_on_sigterm
from benchmarks.figures import percentile
from benchmarks.processes import OWN, Meter
from benchmarks.report import show_json, show_table
from benchmarks.stack import Stack, running_door

COLLECTION = "accepted"
WARM_UP = 500
TIMEOUT_S = 30.0
HEADER = ["request", "requests", "1/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms each: dbrag", "PostgreSQL"]


@dataclass(frozen=True, slots=True)
class Result:
    """One kind of request; `cpu_ms` and `postgres_cpu_ms` are what each cost."""

    request: str
    requests: int
    per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: float
    postgres_cpu_ms: float


def main() -> None:
    """Run it and print a table, or JSON."""
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--bytes", type=int, default=2_000, help="of each document's text")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="dbrag-accept-") as folder, running_door(Path(folder)) as stack:
        client = Client(stack)
        client.put_collection(COLLECTION)
        client.close()
        asked = {
            "GET /healthz": (_request(stack, "GET", "/healthz", b"") for _ in count()),
            "POST a document": _documents(stack, arguments.bytes),
        }
        results = [
            _measure(stack, name, requests, arguments.requests, arguments.connections)
            for name, requests in asked.items()
        ]
    if arguments.json:
        show_json(results=[asdict(result) for result in results])
    else:
        show_table("Accepting", HEADER, [_row(result) for result in results])


def _documents(stack: Stack, size: int) -> Iterator[bytes]:
    for number in count():
        text = (f"Document {number}. " + "Some words that nobody reads. " * (size // 30 + 1))[:size]
        body = f'{{"text": "{text}", "metadata": {{"number": {number}}}}}'.encode()
        yield _request(stack, "POST", f"/v1/collections/{COLLECTION}/documents", body)


def _request(stack: Stack, method: str, path: str, body: bytes) -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(stack.api).netloc}\r\nAuthorization: Bearer {stack.api_key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _measure(stack: Stack, name: str, requests: Iterator[bytes], number: int, connections: int) -> Result:
    _send(stack, requests, WARM_UP, connections)
    meter = Meter(stack.pids)
    meter.start()
    began = time.perf_counter()
    seconds = _send(stack, requests, number, connections)
    took_s = time.perf_counter() - began
    cpu_s = meter.cpu_s()
    p50, p95, p99 = (percentile(seconds, percent) * 1000 for percent in (50, 95, 99))
    each = {group: spent / number * 1000 for group, spent in cpu_s.items()}
    return Result(name, number, number / took_s, p50, p95, p99, each[OWN], each["PostgreSQL"])


def _send(stack: Stack, requests: Iterator[bytes], number: int, connections: int) -> list[float]:
    """Sends `number` requests, and returns the seconds that each answer took; any but a 2xx ends the program."""
    address = urlsplit(stack.api)
    waiting = selectors.DefaultSelector()
    seconds, left = list[float](), number
    lines = [Line((address.hostname or "", address.port or 80)) for _ in range(min(connections, number))]
    for line in lines:
        waiting.register(line.socket, selectors.EVENT_READ, line)
        line.send(next(requests))
        left -= 1
    while len(seconds) < number:
        ready = waiting.select(TIMEOUT_S)
        if not ready:
            sys.exit(f"no answer for {TIMEOUT_S:.0f} s")
        for key, _ in ready:
            took_s = key.data.take()
            if took_s is None:
                continue
            seconds.append(took_s)
            if left:
                key.data.send(next(requests))
                left -= 1
    waiting.close()
    for line in lines:
        line.socket.close()
    return seconds


class Line:
    """A connection that is kept, with one request at a time."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._began, self._got = 0.0, b""

    def send(self, request: bytes) -> None:
        """Sends it; the time counts from here."""
        self._began, self._got = time.perf_counter(), b""
        self.socket.sendall(request)

    def take(self) -> float | None:
        """Takes what has come; the seconds of the answer once it is whole."""
        got = self.socket.recv(65_536)
        if not got:
            sys.exit("the API closed a connection")
        self._got += got
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return None
        if not head.startswith(b"HTTP/1.1 2"):
            sys.exit(f"the API answered {self._got.decode()}")
        return time.perf_counter() - self._began


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    sys.exit(f"an answer without a length: {head.decode()}")


def _row(result: Result) -> list[str]:
    milliseconds = (result.p50_ms, result.p95_ms, result.p99_ms)
    spent = (result.cpu_ms, result.postgres_cpu_ms)
    figures = [f"{result.per_s:,.0f}", *(f"{ms:.1f}" for ms in milliseconds), *(f"{ms:.2f}" for ms in spent)]
    return [result.request, f"{result.requests:,}", *figures]


if __name__ == "__main__":
    main()
