"""A job until it ends: by its events, or where they are not to be had by asking again and again."""

import time
from collections.abc import Iterator

from dbrag.client import events, paths
from dbrag.client.model import Job
from dbrag.client.transport import Transport
from dbrag.errors import NotAvailable, NotFound, Transient

# A stream that is refused or stays away so long is given up, and the job is asked for.
STREAM_PATIENCE_S = 3.0
FIRST_PAUSE_S, MAX_PAUSE_S = 0.2, 2.0


def changes(transport: Transport, job_id: str, hold_s: int) -> Iterator[Job]:
    """The job as it is now and whenever it may have changed; last as it ended. `hold_s`: see `polled`."""
    job = transport.get(Job, paths.job(job_id))
    yield job
    if job.status.is_final:
        return
    try:
        for event in events.read(transport, job_id, None, STREAM_PATIENCE_S):
            if event.change and event.change.status is job.status:
                continue
            job = event.job or transport.get(Job, paths.job(job_id))
            yield job
            if job.status.is_final:
                return
    except (NotAvailable, NotFound, Transient):  # no events there, or not now
        yield from polled(transport, job_id, hold_s)


def polled(transport: Transport, job_id: str, hold_s: int) -> Iterator[Job]:
    """The job, asked for until it has ended; an API that can holds each answer for up to `hold_s` seconds."""
    pause_s = FIRST_PAUSE_S
    while True:
        asked_at = time.monotonic()
        response = transport.send("GET", paths.job(job_id), headers={"Prefer": f"wait={hold_s}"})
        job = transport.parse(Job, response)
        yield job
        if job.status.is_final:
            return
        time.sleep(max(0.0, asked_at + pause_s - time.monotonic()))
        pause_s = min(1.5 * pause_s, MAX_PAUSE_S)
