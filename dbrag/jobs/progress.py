"""How far a job is: its stage, percent and time to go, from the counts in its row."""

from dataclasses import dataclass
from datetime import datetime

from dbrag.jobs.model import Job, Kind, Status

# Splitting costs about a tenth of what embedding costs (docs/performance.md).
SPLITTING_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Progress:
    """`percent` is 0–100; `eta_seconds` is None until something is done."""

    stage: str
    percent: float
    eta_seconds: float | None
    queue_position: int | None


def progress(job: Job, now: datetime) -> Progress:
    """The progress of a job at `now` (aware)."""
    if job.status.is_final:
        return Progress("done", 100.0, 0.0, None)
    share = _share_done(job)
    eta = None
    if job.started_at and share > 0:
        eta = (now - job.started_at).total_seconds() * (1 - share) / share
    return Progress(_stage(job), round(100 * share, 1), eta if eta is None else round(eta, 1), job.queue_position)


def _share_done(job: Job) -> float:
    if job.total == 0:
        return 0.0
    if job.kind is Kind.REBUILD_INDEX:
        return min(1.0, (job.completed + _step_done(job)) / job.total)
    prepared = job.prepared / job.total
    embedded = job.chunks_done / job.chunks_total if job.chunks_total else 1.0
    return prepared * (SPLITTING_SHARE + (1 - SPLITTING_SHARE) * embedded)


def _step_done(job: Job) -> float:
    """The share of the index at hand; its rows are counted as chunks."""
    return job.chunks_done / job.chunks_total if job.chunks_total else 0.0


def _stage(job: Job) -> str:
    if job.kind is Kind.REBUILD_INDEX and job.started_at:  # a new generation is filled first, with pauses
        return "embedding" if job.reason_code in ("embedding", "budget") else "indexing"
    if job.started_at is None or job.status is Status.QUEUED:
        return "waiting"
    if job.prepared == job.total:
        return "embedding"
    return "describing" if job.kind is Kind.UPDATE_METADATA_CATALOG else "extracting"
