"""What one tenant has in a collection, and what must be there once all its accepted jobs are over."""

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx
import psycopg

from tests.faults.harness.author import REFUSED


class Sent(NamedTuple):
    """The last that was accepted for a document; `text` None: only that it is live, whatever its text."""

    job_id: str
    text: str | None


class LetGo(NamedTuple):
    """A cancel or a deletion: when it was sent and answered (Unix time), and of which texts."""

    began_at: float
    ended_at: float
    texts: list[str]


@dataclass
class Shelf:
    """`jobs`: accepted, oldest first. `last`: by external id what was accepted last, None where it was deleted.

    What nobody can know (the API died before it answered; a job was cancelled) is not in it. `sent`: each job's texts,
    `unanswered`: those of jobs that may be there. `let_go`: texts of cancelled jobs and deleted documents, which may
    have been with the provider at that moment. `cancelled`: when the 202 came. `doubtful`: a cancel got no answer.
    """

    client: httpx.Client
    tenant: str
    collection: str
    jobs: list[str] = field(default_factory=list)
    last: dict[str, Sent | None] = field(default_factory=dict)
    cancelled: dict[str, float] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    sent: dict[str, list[str]] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)
    let_go: list[LetGo] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Where the API has it."""
        return f"/collections/{self.collection}"

    def accepted(self, job_id: str, texts: dict[str, str | None], sent: list[str]) -> None:
        """The answer was 202."""
        self.sent[job_id] = sent
        self.jobs.append(job_id)
        self.last |= {external_id: Sent(job_id, text) for external_id, text in texts.items()}

    def deleted(self, external_id: str, began_at: float) -> None:
        """The answer was 204 or 404."""
        self.perhaps_deleted(external_id, began_at)
        self.last[external_id] = None

    def perhaps_deleted(self, external_id: str, began_at: float) -> None:
        """A deletion was sent, and no answer came."""
        old = self.last.pop(external_id, None)
        self.let_go += [LetGo(began_at, time.time(), [old.text])] if old and old.text else []

    def stopped(self, job_id: str, began_at: float) -> None:
        """The answer to a cancel was 202: what the job would have brought may or may not be there."""
        self.let_go_of(job_id, began_at)
        self.cancelled[job_id] = time.time()

    def let_go_of(self, job_id: str, began_at: float) -> None:
        """A cancel was sent, whatever came of it."""
        self.doubtful.add(job_id)
        self.let_go.append(LetGo(began_at, time.time(), self.sent[job_id]))
        self.unknown([name for name, sent in self.last.items() if sent and sent.job_id == job_id], [])

    def unknown(self, external_ids: list[str], texts: list[str]) -> None:
        """No answer came to what sent these texts."""
        self.unanswered += texts
        for external_id in external_ids:
            self.last.pop(external_id, None)

    def verify(self, conn: psycopg.Connection[Any]) -> None:
        """Fails where something that was accepted is not as it was sent."""
        ended = conn.execute(ENDED, [self.jobs]).fetchall()
        statuses = {job_id: status for job_id, status, _ in ended}
        assert set(statuses) == set(self.jobs), "an accepted job is not there"
        failed = {job_id: status for job_id, status in statuses.items() if status != "succeeded"}
        excused = self.doubtful | {job_id for job_id, texts in self.sent.items() if REFUSED in " ".join(texts)}
        assert failed.keys() <= excused, f"nothing was wrong with them, yet {failed}"
        restless = {job_id: attempt for job_id, _, attempt in ended if attempt > ATTEMPTS}
        assert not restless, f"jobs were tried again and again: {restless}"
        wrong = {job_id: statuses[job_id] for job_id in self.cancelled if statuses[job_id] != "cancelled"}
        assert not wrong, f"cancelled, yet {wrong}"
        live = dict(conn.execute(LIVE, [self.tenant, self.collection]).fetchall())
        items = self._items(conn)
        for external_id, sent in self.last.items():
            if sent is None:
                assert external_id not in live, f"{external_id} was deleted, and is there"
            elif items[sent.job_id, external_id] == "completed":
                assert external_id in live, f"{external_id} of {sent.job_id} was lost"
                assert sent.text in (None, live[external_id]), f"{external_id} is not as {sent.job_id} sent it"
            else:
                assert sent.text, f"{external_id} of {sent.job_id} is {items[sent.job_id, external_id]}"
                assert REFUSED in sent.text, f"{external_id} of {sent.job_id} is {items[sent.job_id, external_id]}"

    def _items(self, conn: psycopg.Connection[Any]) -> dict[tuple[str, str], str]:
        rows = conn.execute(ITEMS, [self.jobs]).fetchall()
        return {(job_id, external_id): status for job_id, external_id, status in rows}


ENDED = "SELECT id::text, status, attempt FROM jobs WHERE id = ANY(%s::uuid[])"
# Strikes cost an attempt or two each; a job fails after 20.
ATTEMPTS = 10
LIVE = """
    SELECT d.external_id, v.text FROM documents d JOIN document_versions v ON v.document_id = d.id AND v.status = 'live'
    JOIN collections c ON c.id = d.collection_id JOIN tenants t ON t.id = c.tenant_id
    WHERE t.name = %s AND c.name = %s AND c.deleted_at IS NULL"""
ITEMS = "SELECT job_id::text, external_id, status FROM job_items WHERE job_id = ANY(%s::uuid[])"
