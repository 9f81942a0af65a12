"""Why a job is not being worked on: what its row says, or what follows from where it stands."""

from dataclasses import dataclass
from datetime import datetime

from dbrag.jobs.model import Job, Status


@dataclass(frozen=True, slots=True)
class Reason:
    """`code` is for programs, `detail` for people; `until`: when the wait may be over, where that is known."""

    code: str
    detail: str | None
    until: datetime | None = None


def reason(job: Job) -> Reason | None:
    """Why the job waits, or cannot go on; None while it is at work, and when it is over."""
    if job.reason_code is not None:
        return Reason(job.reason_code, job.reason_detail, job.reason_until)
    if job.status is Status.CANCELLING:
        return Reason("cancelling", "nothing more of it is begun or paid; the relay ends it within seconds")
    if job.status is not Status.QUEUED:
        return None
    if job.publish_again_at is not None:
        return Reason("broker_unavailable", "the broker did not take it; it is sent again", job.publish_again_at)
    place = f": number {job.queue_position:,} in line" if job.queue_position else ""
    return Reason("waiting_for_worker", f"the workers of the queue {job.queue} are busy with what came before{place}")
