"""A job as it is read from the database, for tests of what is made of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from dbrag.jobs.model import Job, Kind, Queue, Status


def a_job(created_at: datetime, **known: Any) -> Job:
    """One that waits and of which nothing is done, but for what is `known`."""
    waiting: dict[str, Any] = {
        "id": UUID(int=1),
        "tenant_id": UUID(int=2),
        "kind": Kind.INGEST_DOCUMENT,
        "status": Status.QUEUED,
        "queue": Queue.DEFAULT,
        "collection_id": 1,
        "created_at": created_at,
        "started_at": None,
        "finished_at": None,
        "attempt": 0,
        "reason_code": None,
        "reason_detail": None,
        "reason_until": None,
        "total": 1,
        "result": None,
        "error": None,
    }
    counts = ("completed", "failed", "skipped", "cancelled", "cached", "prepared", "chunks_total", "chunks_done")
    return Job(**waiting | dict.fromkeys(counts, 0) | known)
