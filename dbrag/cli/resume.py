"""What an interrupted `dbrag ingest` has left to do: which files to send, which batches, which jobs to follow."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from dbrag.cli.journal import Batch, Fingerprint, Journal, Known
from dbrag.cli.sources import Source
from dbrag.client import Client, File
from dbrag.client.model import Job
from dbrag.errors import NotFound
from dbrag.jobs.model import ItemStatus, Queue


@dataclass(frozen=True, slots=True)
class Plan:
    """`interrupted`: batches to be sent just as they were before; `files`: what is to be sent besides.

    `before`: how many files were sent before and have not changed since.
    """

    interrupted: list[tuple[Batch, list[Source]]]
    files: list[Source]
    before: int

    @property
    def left(self) -> int:
        """Files to be sent."""
        return len(self.files) + sum(len(sources) for _, sources in self.interrupted)


def plan(sources: Sequence[Source], known: Known) -> Plan:
    """What is left to be sent."""
    by_name = {source.name: source for source in sources if not _is_same(source, known.accepted.get(source.name))}
    before = len(sources) - len(by_name)
    interrupted = [
        (batch, [by_name.pop(name) for name in batch.files])
        for batch in known.in_flight.values()
        if all(_is_same(by_name.get(name), one) for name, one in batch.files.items())
    ]
    return Plan(interrupted, list(by_name.values()), before)


def load(sources: Sequence[Source], queue: Queue, key: str | None = None) -> tuple[Batch, list[File]]:
    """The files of a batch with their content, read once, so that what is written down is what is sent."""
    files = [File(source.name, source.read()) for source in sources]
    prints = {
        source.name: Fingerprint(len(file.content), source.mtime_ns, _sha256(file.content))
        for source, file in zip(sources, files, strict=True)
    }
    return Batch(key or str(uuid4()), queue.value, prints), files


def settle(client: Client, journal: Journal, jobs: Sequence[Job]) -> None:
    """Writes down which jobs have ended, and which of their files have to be sent again."""
    for job in jobs:
        if job.status.is_final:
            items = client.items(job.id) if job.counts.completed + job.counts.skipped < job.counts.total else ()
            there = (ItemStatus.COMPLETED, ItemStatus.SKIPPED)
            journal.ended(job.id, [str(item.external_id) for item in items if item.status not in there])


def earlier_jobs(client: Client, journal: Journal) -> list[Job]:
    """The jobs of earlier runs that have not ended yet; those that have are settled."""
    found: list[Job] = []
    for job_id in list(journal.known.open_jobs):
        try:
            found.append(client.job(job_id))
        except NotFound:  # finished jobs may be deleted after a while
            journal.ended(job_id, ())
    settle(client, journal, found)
    return [job for job in found if not job.status.is_final]


def _is_same(source: Source | None, one: Fingerprint | None) -> bool:
    if source is None or one is None or source.size != one.size:
        return False
    return source.mtime_ns == one.mtime_ns or _sha256(source.read()) == one.sha256


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
