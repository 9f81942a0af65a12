"""The state of one or several jobs, added up for a progress line."""

from collections.abc import Iterable
from dataclasses import dataclass

from dbrag.client.model import Job
from dbrag.jobs.model import Kind, Status


@dataclass(frozen=True, slots=True)
class Tally:
    """`share` (0–1) counts the parts of unfinished items too; `doing` says what the first unfinished job is at.

    `things`: what the items are.
    """

    total: int
    done: int
    failed: int
    share: float
    cost_usd: float
    prompt_tokens: int
    texts_from_cache: int
    doing: str
    things: str

    def line(self, rate: float | None = None) -> str:
        """One line of progress; `rate` is in items per second."""
        speed = f"{rate:.1f}/s" if rate else ""
        failed = f"{self.failed} failed" if self.failed else ""
        parts = [f"{self.done}/{self.total} {self.things}", speed, failed, usd(self.cost_usd), self.doing]
        return " · ".join(part for part in parts if part)


def tally(jobs: Iterable[Job], expected: int = 0) -> Tally:
    """Add up jobs; `expected` items are the least total, for items that are not sent yet."""
    jobs = list(jobs)
    total = max(expected, sum(job.counts.total for job in jobs))
    share = sum(job.counts.total * job.progress.percent / 100 for job in jobs) / total if total else 0.0
    unfinished = next((job for job in jobs if not job.status.is_final), None)
    return Tally(
        total=total,
        done=sum(job.counts.done for job in jobs),
        failed=sum(job.counts.failed for job in jobs),
        share=share,
        cost_usd=sum(job.usage.cost_usd for job in jobs),
        prompt_tokens=sum(job.usage.prompt_tokens for job in jobs),
        texts_from_cache=sum(job.usage.texts_from_cache for job in jobs),
        doing=doing(unfinished) if unfinished else "",
        things="tables" if any(job.kind is Kind.UPDATE_METADATA_CATALOG for job in jobs) else "documents",
    )


def doing(job: Job) -> str:
    """What a job is at, or what it waits for."""
    reason = job.status_reason
    if job.status in (Status.HELD, Status.RETRYING) and reason:
        until = f" until {reason.until:%H:%M:%S}" if reason.until else ""
        return f"{job.status}: {reason.detail or reason.code}{until}"
    if job.status is Status.CANCELLING:
        return "cancelling"
    if job.status is Status.QUEUED and job.progress.queue_position:
        return f"waiting, number {job.progress.queue_position} in queue {job.queue}"
    return job.progress.stage


def usd(amount: float) -> str:
    """A price in dollars, in full: a document often costs less than a thousandth of a cent."""
    return f"${amount:.2f}" if amount == 0 or amount >= 0.01 else f"${amount:.8f}".rstrip("0")
