"""What a job is: its kind, queue, status and everything one look at it tells."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic.dataclasses import dataclass


class Kind(StrEnum):
    """The work a job does; also the name of its Celery task."""

    INGEST_DOCUMENT = "ingest_document"
    BATCH_EMBED = "batch_embed"
    UPDATE_METADATA_CATALOG = "update_metadata_catalog"
    REBUILD_INDEX = "rebuild_index"


class Queue(StrEnum):
    """The queues, most urgent first."""

    CRITICAL = "critical"
    DEFAULT = "default"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for the most urgent queue."""
        return list(Queue).index(self)


class Status(StrEnum):
    """The states of docs/job-states.md; the last four are final."""

    QUEUED = "queued"
    HELD = "held"
    RUNNING = "running"
    RETRYING = "retrying"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (Status.SUCCEEDED, Status.COMPLETED_WITH_ERRORS, Status.FAILED, Status.CANCELLED)


class ItemStatus(StrEnum):
    """The states of one item of a job; all but the first two are final."""

    QUEUED = "queued"
    EMBEDDING = "embedding"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """A row of `jobs` with what is summed up for it elsewhere (usage, place in the queue).

    `chunks_total` and `chunks_done` count the chunks of the items split so far. `worked_s`: how long it has been at
    work in all, while it is not over. `publish_again_at`: when it is published, where the broker did not take it.
    `queue_position` is 1 for the job that is served next, and None where it waits in no line or was not asked for.
    """

    id: UUID
    tenant_id: UUID
    kind: Kind
    status: Status
    queue: Queue
    collection_id: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    reason_code: str | None
    reason_detail: str | None
    reason_until: datetime | None
    total: int
    completed: int
    failed: int
    skipped: int
    cancelled: int
    cached: int
    prepared: int
    chunks_total: int
    chunks_done: int
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    prompt_tokens: int = 0
    texts_from_cache: int = 0
    cost_usd: float = 0.0
    worked_s: float = 0.0
    publish_again_at: datetime | None = None
    queue_position: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A job reached a status, and why where it waits: a row of `job_events`. Their ids grow in a job's own order."""

    id: int
    job_id: UUID
    status: Status
    attempt: int
    at: datetime
    reason_code: str | None
    reason_detail: str | None
    reason_until: datetime | None


@dataclass(frozen=True, slots=True)
class Filters:
    """Which jobs are meant; None stands for any. `since` and `until` bound `created_at`.

    `code` is that of the job's error, or of one of its failed items.
    """

    status: Status | None = None
    kind: Kind | None = None
    queue: Queue | None = None
    collection_id: int | None = None
    code: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = Filters()


@dataclass(frozen=True, slots=True)
class Item:
    """One document or text of a job; `error` is {code, detail} where it failed."""

    index: int
    external_id: str | None
    status: ItemStatus
    error: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a job until the lease ends; a write without it is refused."""

    id: UUID
    tenant_id: UUID
    kind: Kind
    queue: Queue
    collection_id: int | None
    generation_id: int | None
    attempt: int
    claim_id: UUID
    params: dict[str, Any]

    @property
    def isolates(self) -> bool:
        """Whether the job's items are tried one at a time, since one of them may kill its worker."""
        return bool(self.params.get("isolate"))


@dataclass(frozen=True, slots=True)
class QueueReport:
    """What waits in a queue: jobs that no worker has claimed, jobs at work, and texts that wait for a vector.

    `consumed_at`: when a worker last took something from it, for whichever tenant.
    """

    name: Queue
    waiting: int
    running: int
    oldest_age_s: float | None
    pending_texts: int
    consumed_at: datetime | None
