"""A job's events as frames of a `text/event-stream`: what a reader gets next, from what it has seen."""

from dataclasses import dataclass

from pydantic import BaseModel

from api import render
from dbrag.jobs.events import Sight

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE = b": keep-alive\n\n"


@dataclass(frozen=True, slots=True)
class Seen:
    """The last event that a reader was sent, and the version of the job that it was shown."""

    event_id: int = 0
    version: str | None = None


def frames(seen: Seen, sight: Sight) -> tuple[bytes, Seen, bool]:
    """The next frames, what has been seen with them, and whether they are the last.

    First every change of status, with its id, then the job where anything of it has changed but its time to go.
    """
    sent = [_frame("status", render.event(event), event.id) for event in sight.events]
    event_id = sight.events[-1].id if sight.events else seen.event_id
    if sight.more:
        return b"".join(sent), Seen(event_id, seen.version), False
    body = render.job(sight.job)
    version = render.version(body)
    over = sight.job.status.is_final
    if over:
        sent.append(_frame("end", body))
    elif version != seen.version:
        sent.append(_frame("progress", body))
    return b"".join(sent), Seen(event_id, version), over


def _frame(name: str, data: BaseModel, event_id: int | None = None) -> bytes:
    """JSON has no line ends of its own, so `data` is one line."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {name}\ndata: {data.model_dump_json(by_alias=True)}\n\n".encode()
