"""What the API's answers hold, as far as the command line shows it."""

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from dbrag.jobs.model import ItemStatus, Kind, Queue, Status

T = TypeVar("T")


class Reason(BaseModel):
    """Why a job waits or ended as it did; `until` says when waiting ends, where that is known."""

    code: str
    detail: str | None = None
    until: datetime | None = None


class Counts(BaseModel):
    """Items of a job; `cached` are completed ones that needed no paid text."""

    total: int = 0
    completed: int = 0
    failed: int = 0
    skipped: int = 0
    cached: int = 0

    @property
    def done(self) -> int:
        return self.completed + self.failed + self.skipped


class Progress(BaseModel):
    """How far a job is; `percent` is 0–100."""

    stage: str
    percent: float = 0.0
    eta_seconds: float | None = None
    queue_position: int | None = None


class Usage(BaseModel):
    """What a job has paid for so far."""

    prompt_tokens: int = 0
    texts_from_cache: int = 0
    cost_usd: float = 0.0


class Problem(BaseModel):
    """Why an item or a job failed."""

    code: str
    detail: str


class Job(BaseModel):
    """The job body of the API."""

    id: str
    kind: Kind
    status: Status
    queue: Queue
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempt: int = 0
    status_reason: Reason | None = None
    counts: Counts
    progress: Progress
    usage: Usage
    result: dict[str, Any] | None = None
    error: Problem | None = None


class Item(BaseModel):
    """One document or text of a job."""

    index: int
    external_id: str | None = None
    status: ItemStatus
    error: Problem | None = None


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    data: list[T]
    has_more: bool = False
    next_cursor: str | None = None


class Retried(Page[Job]):
    """The jobs that one call of `/v1/jobs:retry` has tried again."""

    retried: int
    skipped: int


class Collection(BaseModel):
    """A collection; `paused_at` is None unless its jobs wait."""

    name: str
    model: str
    dimensions: int
    paused_at: datetime | None = None


class Hit(BaseModel):
    """A passage that a search found; `start` and `end` are character offsets into the document's text."""

    external_id: str
    text: str
    start: int
    end: int
    score: float
