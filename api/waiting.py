"""`Prefer: wait=N`: holding an answer until its job has ended."""

import re
import time
from threading import BoundedSemaphore

from api.transaction import transaction
from dbrag.jobs import jobs
from dbrag.jobs.model import Job

AT_MOST_S = 30.0
LOOK_EVERY_S = 0.1
# Half of a process's threads (deploy/gunicorn.conf.py): those who wait must not keep out those who ask.
_seats = BoundedSemaphore(4)


def preferred_s(prefer: str | None) -> float:
    """The seconds that a Prefer header (RFC 7240) asks to wait; 0 without one, at most 30."""
    found = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,9})", prefer or "", re.IGNORECASE)
    return min(float(found[1]), AT_MOST_S) if found else 0.0


def until_final(job: Job, seconds: float) -> tuple[Job, bool]:
    """The job as it is when it ends, or after `seconds`, and whether it was waited for.

    At once where too many wait already: it is a preference, no right. No connection is held between two looks.
    """
    if seconds <= 0 or not _seats.acquire(blocking=False):
        return job, False
    try:
        end = time.monotonic() + seconds
        while not job.status.is_final and time.monotonic() < end:
            time.sleep(LOOK_EVERY_S)
            with transaction() as conn:
                job = jobs.get(conn, job.tenant_id, job.id)
        return job, True
    finally:
        _seats.release()
