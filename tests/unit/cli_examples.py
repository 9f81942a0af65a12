"""Jobs as the API describes them, for the tests of the command line."""

from typing import Any

from dbrag.client.model import Job


def job(**changes: Any) -> Job:
    """A job that runs: 4 of 10 items completed, 1 failed, half of the work done."""
    body: dict[str, Any] = {
        "id": "0199",
        "kind": "ingest_document",
        "status": "running",
        "queue": "default",
        "created_at": "2026-11-21T10:00:00Z",
        "started_at": "2026-11-21T10:00:01Z",
        "finished_at": None,
        "attempt": 1,
        "status_reason": None,
        "counts": {"total": 10, "completed": 4, "failed": 1, "skipped": 0, "cached": 2},
        "progress": {"stage": "embedding", "percent": 50.0, "eta_seconds": 12.0, "queue_position": None},
        "usage": {"prompt_tokens": 1200, "texts_from_cache": 3, "cost_usd": 0.000024},
        "result": None,
        "error": None,
    }
    return Job.model_validate(body | changes)


def ended(status: str, *, total: int = 1, failed: int = 0) -> Job:
    """A job that is over."""
    counts = {"total": total, "completed": total - failed, "failed": failed}
    progress = {"stage": "done", "percent": 100.0}
    return job(status=status, counts=counts, progress=progress, finished_at="2026-11-21T10:01:00Z")
