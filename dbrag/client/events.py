"""A job's events as they happen, over connections that may break (Server-Sent Events)."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dbrag.client import paths
from dbrag.client.model import Event, Job, StatusChange
from dbrag.client.transport import Transport, Unreachable

# The API says something every 15 s.
SILENCE_S = 45.0
PAUSE_S, MAX_PAUSE_S = 0.25, 5.0


@dataclass(frozen=True, slots=True)
class Block:
    """One event as it was written: its name, `id:` and `data:`."""

    event: str
    id: str | None
    data: str


class Ear:
    """When something was heard last, a comment too: whatever may be wrong with a job, its stream is well."""

    def __init__(self) -> None:
        self.heard_at = time.monotonic()
        self._pause_s = PAUSE_S

    def hear(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            self.heard_at, self._pause_s = time.monotonic(), PAUSE_S
            yield line

    def rest(self) -> None:
        """Before another try: the longer, the more have been in vain."""
        time.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, MAX_PAUSE_S)


def read(transport: Transport, job_id: str, last_event_id: str | None, patience_s: float) -> Iterator[Event]:
    """The events of a job behind `last_event_id` until it ends.

    A stream that breaks is opened again behind the last event; nothing at all for `patience_s` seconds ends it.
    Raises: dbrag.errors
    """
    path, ear = f"{paths.job(job_id)}/events", Ear()
    while True:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
        try:
            with transport.stream(path, headers, patience_s=patience_s, silence_s=SILENCE_S) as lines:
                for block in blocks(ear.hear(lines)):
                    last_event_id = block.id or last_event_id
                    if event := _event(transport, block):
                        yield event
                        if event.kind == "end":
                            return
        except Unreachable:
            if time.monotonic() - ear.heard_at >= patience_s:
                raise
        ear.rest()


def blocks(lines: Iterable[bytes]) -> Iterator[Block]:
    """Put lines together into events, as the HTML standard has it; what was cut short is none."""
    fields: dict[str, list[str]] = {}
    for line in lines:
        if line:
            name, _, value = line.decode(errors="replace").partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
            continue
        if "data" in fields:
            yield Block(fields.get("event", ["message"])[-1], fields.get("id", [None])[-1], "\n".join(fields["data"]))
        fields = {}


def _event(transport: Transport, block: Block) -> Event | None:
    """None for what a newer API tells and this client does not know."""
    data = block.data.encode()
    match block.event:
        case "status":
            return Event("status", block.id, change=transport.parse_json(StatusChange, data))
        case "progress":
            return Event("progress", block.id, job=transport.parse_json(Job, data))
        case "end":
            return Event("end", block.id, job=transport.parse_json(Job, data))
        case _:
            return None
