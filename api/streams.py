"""The answer that is a stream of a job's events: handed over where the server allows it, else from this thread."""

import time
from collections.abc import Generator
from threading import BoundedSemaphore

from flask import Response, request

from api import frames, handover
from api.frames import KEEP_ALIVE, Seen
from api.process import here, runtime
from api.reader import Reader
from api.streamer import KEEP_ALIVE_S, LIFE_S, LOOK_EVERY_S, RETRY_AFTER_S
from dbrag.database.pool import Pool
from dbrag.errors import Transient
from dbrag.jobs import events
from dbrag.jobs.events import Watch
from dbrag.jobs.model import Job

# Proxies neither keep it nor collect it.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
# Streams that occupy a thread each, of those that a process has (deploy/gunicorn.conf.py).
_seats = BoundedSemaphore(4)


def of_job(job: Job, after: int) -> Response:
    """The events of a job behind this one. Raises: Transient, where too many are open."""
    seen = Seen(after)
    if request.method == "HEAD":
        return Response(mimetype=frames.MEDIA_TYPE, headers=HEADERS)
    if handover.possible(request.environ):
        streamer = here().streamer
        streamer.check(job.tenant_id)
        return handover.HandedOver(
            lambda connection, head: streamer.add(Reader(connection, job.tenant_id, job.id, seen, head)),
            mimetype=frames.MEDIA_TYPE,
            headers=HEADERS,
        )
    return _from_this_thread(job, seen)


def _from_this_thread(job: Job, seen: Seen) -> Response:
    if not _seats.acquire(blocking=False):
        raise Transient(
            "too many streams are open here: poll GET /v1/jobs/{id}, or try again later",
            code="too_many_streams",
            retry_after_s=RETRY_AFTER_S,
        )
    response = Response(_frames(runtime().pool, job, seen), mimetype=frames.MEDIA_TYPE, headers=HEADERS)
    response.call_on_close(_seats.release)
    return response


def _frames(pool: Pool, job: Job, seen: Seen) -> Generator[bytes]:
    began_at = sent_at = time.monotonic()
    while time.monotonic() - began_at < LIFE_S:
        watch = Watch(job.tenant_id, job.id, seen.event_id)
        sight = events.look(pool, [watch]).get(watch)
        if sight is None:
            return
        data, seen, over = frames.frames(seen, sight)
        if not data and time.monotonic() - sent_at >= KEEP_ALIVE_S:
            data = KEEP_ALIVE
        if data:
            sent_at = time.monotonic()
            yield data
        if over:
            return
        if not sight.more:
            time.sleep(LOOK_EVERY_S)
