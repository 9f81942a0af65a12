"""What test_job_machine.py believes of jobs and documents, and how it compares that with the database."""

from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from psycopg.rows import namedtuple_row

from dbrag.database.pool import Connection
from dbrag.documents.model import Collection
from tests.provider.vectors import vector_of

FINAL = ("succeeded", "completed_with_errors", "failed", "cancelled")
JOBS = """
SELECT j.*, status = ANY(%(final)s) AS is_final,
       (SELECT count(*) FROM job_events e WHERE e.job_id = j.id AND e.status = ANY(%(final)s)) AS endings,
       (SELECT count(*) FROM job_items i WHERE i.job_id = j.id) AS items,
       (SELECT count(*) FROM job_items i WHERE i.job_id = j.id AND i.status IN ('queued', 'embedding')) AS open_items,
       ARRAY(SELECT (SELECT count(*) FROM job_items i WHERE i.job_id = j.id AND i.status = s)
             FROM unnest(ARRAY['completed', 'failed', 'skipped', 'cancelled']) s) AS counted
FROM jobs j WHERE collection_id = %(collection_id)s AND kind = 'ingest_document'
"""
LIVE = """
SELECT d.id, v.version, v.job_id, v.item_index, i.status AS item_status,
       (SELECT string_agg(text, E'\n\n' ORDER BY position) FROM chunks c WHERE c.version_id = v.id) AS text
FROM documents d JOIN document_versions v ON v.document_id = d.id AND v.status = 'live'
LEFT JOIN job_items i ON i.job_id = v.job_id AND i.index = v.item_index
WHERE d.collection_id = %(collection_id)s
"""
COMPLETED = """
SELECT i.job_id, i.index FROM job_items i JOIN jobs j ON j.id = i.job_id
WHERE j.collection_id = %(collection_id)s AND i.status = 'completed'
"""
VECTORS = """
SELECT c.text, v.status, c.kept_chunk_id IS NOT NULL AS keeps, p.chunk_id IS NOT NULL AS waits,
       ARRAY(SELECT e.embedding::text FROM {table} e WHERE e.chunk_id = c.id) AS vectors
FROM chunks c JOIN document_versions v ON v.id = c.version_id
LEFT JOIN pending p ON p.chunk_id = c.id WHERE c.collection_id = %(collection_id)s
"""
# Each of these must find nothing at any moment.
NEVER = {
    "a document has neither a version nor a reason to be": """
        SELECT d.id FROM documents d WHERE d.collection_id = %(collection_id)s
        AND NOT EXISTS (SELECT FROM document_versions v WHERE v.document_id = d.id)""",
    "a cancelled job has left a version that is not live": """
        SELECT v.id FROM document_versions v JOIN jobs j ON j.id = v.job_id
        WHERE j.collection_id = %(collection_id)s AND j.status = 'cancelled' AND v.status <> 'live'""",
    "a text waits for a version that does not": """
        SELECT p.chunk_id FROM pending p LEFT JOIN document_versions v ON v.id = p.version_id
        LEFT JOIN chunks c ON c.id = p.chunk_id
        WHERE v.status IS DISTINCT FROM 'waiting' OR c.version_id IS DISTINCT FROM p.version_id""",
    "a version waits for a job that is over": """
        SELECT v.id FROM document_versions v JOIN jobs j ON j.id = v.job_id
        WHERE j.collection_id = %(collection_id)s AND v.status = 'waiting' AND j.finished_at IS NOT NULL""",
    "a job without a claim waits for nothing": """
        SELECT j.id FROM jobs j WHERE j.collection_id = %(collection_id)s AND status IN ('running', 'held')
        AND claim_id IS NULL AND kind = 'ingest_document' AND NOT EXISTS (
            SELECT FROM document_versions v JOIN pending p ON p.version_id = v.id WHERE v.job_id = j.id)""",
    "a job that waits for a worker is not marked, and was never published": """
        SELECT j.id FROM jobs j WHERE j.collection_id = %(collection_id)s AND status IN ('queued', 'retrying')
        AND publish_at IS NULL AND published_at IS NULL""",
}
# Whatever a stale writer could spoil.
FINGERPRINT = """
SELECT md5(string_agg(x, '|' ORDER BY x)) FROM (
    SELECT j::text AS x FROM jobs j WHERE collection_id = %(collection_id)s
    UNION ALL SELECT i::text FROM job_items i JOIN jobs j ON j.id = i.job_id WHERE collection_id = %(collection_id)s
    UNION ALL SELECT v::text FROM document_versions v JOIN jobs j ON j.id = v.job_id
        WHERE collection_id = %(collection_id)s
    UNION ALL SELECT c::text FROM chunks c WHERE collection_id = %(collection_id)s
    UNION ALL SELECT p::text FROM pending p) rows
"""


@dataclass(slots=True)
class Sent:
    """One submitted document: the version that it became."""

    document_id: int
    version: int
    text: str


@dataclass(slots=True)
class Story:
    """What was done to a job: how often it was tried again, and whether it was cancelled."""

    retries: int = 0
    cancelled: bool = False
    ended_as: str | None = None

    @property
    def may_be_retried(self) -> bool:
        return self.ended_as in ("failed", "completed_with_errors")


@dataclass(slots=True)
class World:
    """A collection and what must be true of it."""

    conn: Connection
    collection: Collection
    jobs: dict[UUID, Story] = field(default_factory=dict[UUID, Story])
    sent: dict[tuple[UUID, int], Sent] = field(default_factory=dict[tuple[UUID, int], Sent])
    live: dict[int, int] = field(default_factory=dict[int, int])
    deleted: set[int] = field(default_factory=set[int])

    def ask(self, question: str) -> list[object]:
        """Rows with names."""
        with self.conn.cursor(row_factory=namedtuple_row) as cursor:
            asked = {"collection_id": self.collection.id, "final": list(FINAL)}
            return cursor.execute(question.encode(), asked).fetchall()

    def fingerprint(self) -> object:
        """Of everything that a writer without a claim must leave alone."""
        return self.ask(FINGERPRINT)

    def check(self) -> None:
        """Whatever is true at any moment."""
        for job in self.ask(JOBS):
            self._check_job(job)
        self._check_live()
        self._check_vectors()
        for what, question in NEVER.items():
            assert self.ask(question) == [], what

    def _check_job(self, job: object) -> None:
        story = self.jobs[job.id]
        assert [job.completed, job.failed, job.skipped, job.cancelled] == job.counted, "counts are not the items'"
        assert job.total == job.items
        assert job.is_final is (job.open_items == 0) or job.status == "cancelling", (
            f"{job.status} with {job.open_items} open items"
        )
        assert job.endings == story.retries + job.is_final, "not one final event a run"
        if story.ended_as:
            assert job.status == story.ended_as, "a final status was left"
        elif job.is_final:
            story.ended_as = job.status
        if story.cancelled:
            assert job.status in ("cancelling", "cancelled")
        else:
            assert job.status not in ("cancelling", "cancelled")

    def _check_live(self) -> None:
        """The live version is the newest that was completed, and says what was sent."""
        rows = {row.id: row for row in self.ask(LIVE)}
        for document_id, row in rows.items():
            sent = self.sent[row.job_id, row.item_index]
            assert (sent.document_id, sent.version, sent.text) == (document_id, row.version, row.text)
            assert row.item_status == "completed"
        for document_id, version in self.live.items():
            if document_id not in self.deleted:
                assert rows[document_id].version >= version, "an older version is live again"
        self.live = {document_id: row.version for document_id, row in rows.items()}
        for job_id, index in self.ask(COMPLETED):
            sent = self.sent[job_id, index]
            assert sent.document_id in self.deleted or self.live[sent.document_id] >= sent.version

    def _check_vectors(self) -> None:
        """A chunk has its own vector once, or waits for it, or keeps a live one's."""
        table = f"generation_{self.collection.generation_id}"
        if self.ask(f"SELECT to_regclass('{table}')") == [(None,)]:
            return
        for chunk in self.ask(VECTORS.format(table=table)):
            if chunk.status == "live":
                assert (len(chunk.vectors), chunk.keeps, chunk.waits) == (1, False, False), chunk
            elif chunk.status == "waiting" and not chunk.waits:
                assert len(chunk.vectors) + chunk.keeps >= 1 or self._is_retried(chunk), chunk
            for vector in chunk.vectors:
                stored = np.array(vector[1:-1].split(","), dtype=float)
                assert np.allclose(stored, vector_of(chunk.text, 8), atol=1e-3), f"not the vector of {chunk.text!r}"
        orphans = f"SELECT 1 FROM {table} e WHERE NOT EXISTS (SELECT FROM chunks c WHERE c.id = e.chunk_id)"
        assert self.ask(orphans) == [], "a vector belongs to no chunk"

    def _is_retried(self, chunk: object) -> bool:
        """A version that is tried again keeps its chunks, and waits to be split."""
        return any(story.retries for story in self.jobs.values())
