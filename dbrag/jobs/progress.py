"""How far a job is: its stage, percent and time to go, from the counts in its row."""

from dataclasses import dataclass

from dbrag.jobs.model import Job, Kind, Status

# Splitting costs about a tenth of what embedding costs (docs/performance.md).
SPLITTING_SHARE = 0.1
# The reason of a job that builds a new generation and is put off while others embed its texts: that is its work, too.
# Also in select_jobs and select_page (store.sql).
EMBEDDING = "embedding"


@dataclass(frozen=True, slots=True)
class Progress:
    """`percent` is 0–100; `eta_seconds` is None until something is done, and while the job waits."""

    stage: str
    percent: float
    eta_seconds: float | None
    queue_position: int | None


def progress(job: Job) -> Progress:
    """The progress of a job at the time it was read."""
    if job.status.is_final:
        return Progress("done", 100.0, 0.0, None)
    share = _share_done(job)
    return Progress(_stage(job), round(100 * share, 1), _eta_seconds(job, share), job.queue_position)


def _eta_seconds(job: Job, share: float) -> float | None:
    """As fast as it has been while it was at work; how long it will wait is unknown."""
    at_work = job.status is Status.RUNNING or job.reason_code == EMBEDDING
    if not (at_work and share and job.worked_s):
        return None
    return round(job.worked_s * (1 - share) / share, 1)


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
        return "embedding" if job.reason_code in (EMBEDDING, "budget") else "indexing"
    if job.started_at is None or job.status is Status.QUEUED:
        return "waiting"
    if job.prepared == job.total:
        return "embedding"
    return "describing" if job.kind is Kind.UPDATE_METADATA_CATALOG else "extracting"
