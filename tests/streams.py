"""Reading a `text/event-stream` as a client does."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Event:
    name: str
    data: Any
    id: int | None


def read(answer: httpx.Response) -> Iterator[Event]:
    """The events of a stream, until it ends."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            number = fields.get("id")
            yield Event(fields["event"], json.loads(fields["data"]), int(number) if number else None)
            fields = {}


def until(raw: socket.socket, wanted: bytes | None) -> bytes:
    """What comes on a connection up to `wanted`; None: up to its end."""
    got = b""
    while wanted is None or wanted not in got:
        received = raw.recv(65_536)
        if not received:
            break
        got += received
    return got
