"""Send files batch by batch, each written down before and after, so that an interrupted run can be taken up again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dbrag.cli import journal, output, resume
from dbrag.cli.journal import Batch, Journal, Known
from dbrag.cli.resume import Plan
from dbrag.cli.sources import BATCH_FILES, batches
from dbrag.cli.tally import tally
from dbrag.cli.watch import Board, refresh
from dbrag.client import Client, File
from dbrag.client.model import Item, Job, Problem
from dbrag.errors import DbragError, TooLarge
from dbrag.jobs.model import ItemStatus, Queue


@dataclass(slots=True)
class Sent:
    """What the API accepted (`jobs`), and the files it would not take at all.

    `before`: how many files an earlier run had sent; its jobs are among `jobs` while they have not ended.
    """

    before: int = 0
    jobs: list[Job] = field(default_factory=list[Job])
    refused: list[Item] = field(default_factory=list[Item])


@dataclass(frozen=True, slots=True)
class Upload:
    """Where files go: to a collection of the client's API, into a queue, `batch_files` at once."""

    client: Client
    collection: str
    queue: Queue = Queue.DEFAULT
    batch_files: int = BATCH_FILES

    def known(self) -> Known:
        """What was sent from this folder before."""
        return journal.read(self._journal_path(), self._about())

    def open_journal(self, *, again: bool) -> Journal:
        """The journal of this folder; one that is forgotten at the end where the folder cannot be written to."""
        try:
            return Journal.open(self._journal_path(), self._about(), again=again)
        except OSError as exc:
            output.remark(
                f"{exc.filename or Path.cwd()} cannot be written ({exc.strerror}): were this run interrupted, the next "
                "one would send everything again."
            )
            return Journal(Known())

    def batches(self, plan: Plan) -> Iterator[tuple[Batch, list[File]]]:
        """What is to be sent: first the batches that were interrupted, with the key they had."""
        for batch, sources in plan.interrupted:
            yield resume.load(sources, Queue(batch.queue), batch.key)
        for sources in batches(plan.files, max_files=self.batch_files):
            yield resume.load(sources, self.queue)

    def run(self, plan: Plan, earlier: Sequence[Job], written: Journal, shown: Board) -> Sent:
        """Send what is planned, showing meanwhile how far it is, and `earlier` jobs."""
        sent = Sent(plan.before, list(earlier))
        expected = sum(job.counts.total for job in earlier) + plan.left
        try:
            for batch, files in self.batches(plan):
                self._send(batch, files, written, sent)
                sent.jobs = refresh(self.client, sent.jobs)
                shown.show(tally(sent.jobs, expected=expected))
        except (KeyboardInterrupt, DbragError):
            if sent.jobs:
                output.remark("What was accepted goes on; the same command sends the rest.")
            raise
        return sent

    def _send(self, batch: Batch, files: Sequence[File], written: Journal, sent: Sent) -> None:
        written.sent(batch)
        queue = Queue(batch.queue)
        try:
            job = self.client.submit_files(self.collection, files, queue=queue, idempotency_key=batch.key)
        except TooLarge as exc:
            written.refused(batch.key)
            if len(files) > 1:
                raise
            sent.refused.append(_refused(files[0].name, exc))
        else:
            written.accepted(batch.key, job.id)
            sent.jobs.append(job)

    def _journal_path(self) -> Path:
        return journal.path_of(Path.cwd(), self.client.base_url, self.collection)

    def _about(self) -> Mapping[str, str]:
        """A collection that was deleted and made again holds nothing of what was sent before."""
        made_at = self.client.collection(self.collection).created_at.isoformat()
        return {"api": self.client.base_url, "collection": self.collection, "made_at": made_at}


def _refused(name: str, error: TooLarge) -> Item:
    problem = Problem(code=error.code, detail=error.detail)
    return Item(index=0, external_id=name, status=ItemStatus.FAILED, error=problem)
