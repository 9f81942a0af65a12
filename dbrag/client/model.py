"""What is sent to the API and what its answers hold. Fields that a newer API adds are kept, and shown by `--json`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypedDict, TypeVar

from pydantic import BaseModel, ConfigDict

from dbrag.jobs.model import ItemStatus, Kind, Queue, Status

T = TypeVar("T")
# A page of a list at most (DESIGN: limit 1–200).
PAGE = 200
Conflicts = Literal["replace", "skip", "error"]
"""What is to be done with a document whose external_id is there already."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to send; `name` becomes the document's external_id."""

    name: str
    content: bytes


class JobFilters(TypedDict, total=False):
    """Which jobs are meant: those that match all; `since` and `until` (aware) bound `created_at`.

    `code` is that of the job's error, or of one of its failed items.
    """

    status: Status | None
    kind: Kind | None
    queue: Queue | None
    collection: str | None
    code: str | None
    since: datetime | None
    until: datetime | None


class Answer(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="allow")


class Reason(Answer):
    """Why a job waits or ended as it did; `until` says when waiting ends, where that is known."""

    code: str
    detail: str | None = None
    until: datetime | None = None


class Counts(Answer):
    """Items of a job; `cached` are completed ones that needed no paid text."""

    total: int = 0
    completed: int = 0
    failed: int = 0
    skipped: int = 0
    cached: int = 0

    @property
    def done(self) -> int:
        return self.completed + self.failed + self.skipped


class Progress(Answer):
    """How far a job is; `percent` is 0–100."""

    stage: str
    percent: float = 0.0
    eta_seconds: float | None = None
    queue_position: int | None = None


class Usage(Answer):
    """What a job has paid for so far."""

    prompt_tokens: int = 0
    texts_from_cache: int = 0
    cost_usd: float = 0.0


class Problem(Answer):
    """Why an item or a job failed."""

    code: str
    detail: str


class Job(Answer):
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


class Item(Answer):
    """One document or text of a job."""

    index: int
    external_id: str | None = None
    status: ItemStatus
    error: Problem | None = None


class Page(Answer, Generic[T]):
    """One page of a list."""

    data: list[T]
    has_more: bool = False
    next_cursor: str | None = None


class Retried(Page[Job]):
    """The jobs that one call of `/v1/jobs:retry` has tried again."""

    retried: int
    skipped: int


class Change(Answer):
    """The model and dimensions that a collection is on its way to, and the job that takes it there."""

    model: str
    dimensions: int
    job_id: str


class Collection(Answer):
    """A collection; `paused_at` is None unless its jobs wait, `building` unless its vectors are made anew."""

    name: str
    model: str
    dimensions: int
    storage: str
    chunking: dict[str, int] = {}
    language: str | None = None
    building: Change | None = None
    paused_at: datetime | None = None
    created_at: datetime


class Document(Answer):
    """A document's live version, or the newest one where none is live yet; `text` is None until it is extracted."""

    external_id: str
    status: str
    version: int
    title: str | None = None
    metadata: dict[str, Any] = {}
    text: str | None = None
    chunks: int
    job_id: str


class Span(Answer):
    """Character offsets into a document's text."""

    start: int
    end: int


class Hit(Answer):
    """A passage that a search found; `start` and `end` are character offsets into the document's text."""

    external_id: str
    chunk_id: int | None = None
    text: str
    start: int
    end: int
    score: float
    metadata: dict[str, Any] = {}
    highlights: list[Span] = []


class Refused(Answer):
    """A document that would fail, and why."""

    index: int
    external_id: str | None = None
    code: str
    detail: str


class Estimate(Answer):
    """What submitting documents would cost; nothing was done.

    `documents` would be ingested, those of `refused` would not; `texts` and `tokens` would be paid for. Not `exact`:
    there was time to look at a part only, and the rest was taken to be like it.
    """

    documents: int
    refused: list[Refused]
    chunks: int
    texts: int
    texts_from_cache: int
    tokens: int
    cost_usd: float
    model: str
    exact: bool


class Spent(Answer):
    """What was used; one of the names that `by` chose says by whom or when. `about`: why there is no collection."""

    day: str | None = None
    model: str | None = None
    collection: str | None = None
    about: str | None = None
    job_id: str | None = None
    kind: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    texts: int = 0
    texts_from_cache: int = 0
    cost_usd: float = 0.0


class Budget(Answer):
    """What may be spent in US dollars in a day and a month (UTC), None for no bound; beyond it jobs are held."""

    day_usd: float | None = None
    month_usd: float | None = None
    spent_day_usd: float
    spent_month_usd: float
    is_spent: bool
    resets_at: datetime


class UsageReport(Page[Spent]):
    """Usage in rows and in all; `budget` is None where the tenant has none."""

    total: Spent
    budget: Budget | None = None


class StatusChange(Answer):
    """A job came into a state."""

    id: int
    job_id: str
    status: Status
    attempt: int
    at: datetime
    status_reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What a job's stream tells: a `change` of its status, or the `job` with new progress or at its end.

    `id` is what `last_event_id` takes to go on behind this event; None for progress.
    """

    kind: Literal["status", "progress", "end"]
    id: str | None
    change: StatusChange | None = None
    job: Job | None = None
