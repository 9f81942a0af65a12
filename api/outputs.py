"""What answers hold, as models: the OpenAPI document and the JSON are both made from them."""

from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field, RootModel

from dbrag.documents.model import DocumentStatus, Storage
from dbrag.jobs.model import ItemStatus, Kind, Queue, Status
from dbrag.vectors.model import GenerationStatus, SegmentStatus

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """One page of a list; `next_cursor` goes into `?cursor=` for the next one."""

    data: list[T]
    has_more: bool
    next_cursor: str | None


class Listing(BaseModel, Generic[T]):
    """A list that has no pages."""

    data: list[T]


class ChunkingOutput(BaseModel):
    max_tokens: int
    overlap_tokens: int


class IndexSettingsOutput(BaseModel):
    model: str
    dimensions: int
    storage: Storage
    m: int
    ef_construction: int


class BuildingOutput(IndexSettingsOutput):
    """What the collection is on its way to; until then it serves as it is."""

    job_id: UUID


class CollectionOutput(BaseModel):
    name: str
    model: str
    dimensions: int
    storage: Storage
    m: int
    ef_construction: int
    chunking: ChunkingOutput
    language: str = Field(description="In which words are looked up; `none`: they are not.")
    building: BuildingOutput | None
    paused_at: datetime | None = Field(description="Since when what is accepted for it waits; null: it does not.")
    created_at: datetime


class EstimateOutput(BaseModel):
    """What a change of a collection would cost; `texts` and `tokens` are what would be paid for."""

    rows: int
    texts: int
    tokens: int
    cost_usd: float
    seconds: float
    exact: bool = Field(description="False where a large collection was extrapolated from a sample.")


class PutCollectionOutput(RootModel[CollectionOutput | EstimateOutput]):
    """The collection as it stands; with `dry_run`, what the change would cost."""


class DocumentOutput(BaseModel):
    external_id: str
    status: DocumentStatus
    version: int
    title: str | None
    metadata: dict[str, Any]
    text: str | None = Field(description="None until it has been extracted.")
    chunks: int
    job_id: UUID
    created_at: datetime
    updated_at: datetime


class ReasonOutput(BaseModel):
    code: str
    detail: str | None
    until: datetime | None


class CountsOutput(BaseModel):
    """Items; `cached` are completed ones that needed no paid text."""

    total: int
    completed: int
    failed: int
    skipped: int
    cached: int


class ProgressOutput(BaseModel):
    stage: str = Field(description="waiting, extracting, describing, embedding, indexing or done")
    percent: float
    eta_seconds: float | None = Field(
        description="As fast as so far; null while it waits, and before anything is done."
    )
    queue_position: int | None = Field(
        description="1 is served next. Counted where one job is asked for, up to 10,000; null where it is in no line."
    )


class UsageOutput(BaseModel):
    prompt_tokens: int
    texts_from_cache: int
    cost_usd: float


class JobOutput(BaseModel):
    id: UUID
    kind: Kind
    status: Status
    queue: Queue
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    status_reason: ReasonOutput | None
    counts: CountsOutput
    progress: ProgressOutput
    usage: UsageOutput
    result: dict[str, Any] | None
    error: dict[str, Any] | None


class EventOutput(BaseModel):
    """The `data` of an `event: status`."""

    id: int
    job_id: UUID
    status: Status
    attempt: int
    at: datetime
    status_reason: ReasonOutput | None


class RetriedOutput(Page[JobOutput]):
    """The jobs that are tried again, oldest first. `next_cursor` goes into `cursor` of the body for the next ones."""

    retried: int = Field(description="How many these are.")
    skipped: int = Field(description="Jobs that matched, and that somebody else was faster with.")


class ItemOutput(BaseModel):
    index: int
    external_id: str | None
    status: ItemStatus
    error: dict[str, Any] | None


class SpanOutput(BaseModel):
    start: int
    end: int


class HitOutput(BaseModel):
    """A chunk; `start` and `end` are character offsets into its document's text.

    `score` is 1 − cosine distance; in the mode `text` a positive number, the larger the more of the rare words a chunk
    has; in `hybrid` 1 for what is first by both.
    """

    external_id: str
    chunk_id: int
    text: str
    start: int
    end: int
    score: float
    metadata: dict[str, Any] = Field(
        description="Of the document; `page` and `headings` among them, unless the document has such of its own."
    )
    page: int | None = Field(description="Page (PDF) or slide (PPTX) on which the chunk begins; the first is 1.")
    headings: list[str] = Field(description="The headings above its beginning, the outermost first.")
    highlights: list[SpanOutput] = Field(description="Where words of the question are in the document's text.")


class SegmentOutput(BaseModel):
    id: int
    status: SegmentStatus
    rows: int
    bytes: int
    created_at: datetime
    sealed_at: datetime | None
    indexed_at: datetime | None


class RecallOutput(BaseModel):
    """Searches for stored vectors through the index, compared with exact ones."""

    at: datetime
    samples: int
    recall_at_10: float
    floor: float
    ef_search: int
    ef_search_needed: int | None = Field(
        description="What would meet the floor; null where it is met, or nothing would."
    )
    p50_ms: float
    p95_ms: float
    exact_p50_ms: float
    warning: str | None


class GenerationOutput(IndexSettingsOutput):
    """All vectors under one model and settings; `index:rollback` goes back to the one that was `kept` last."""

    id: int
    status: GenerationStatus
    created_at: datetime
    served_at: datetime | None
    kept_until: datetime | None


class IndexOutput(BaseModel):
    """The generation that serves: its settings, and its segments. `rows` are those that searches see."""

    settings: IndexSettingsOutput
    rows: int
    bytes: int
    segments: list[SegmentOutput]
    generations: list[GenerationOutput]
    recall: RecallOutput | None = Field(description="The last recall probe; null before the first.")


class QueueOutput(BaseModel):
    name: Queue
    waiting: int
    running: int
    oldest_age_s: float | None
    pending_texts: int
    consumed_at: datetime | None = Field(description="When a worker last took something from it, for any tenant.")
    messages: int | None = Field(description="Length of the queue in the broker; null when the broker is away.")


class CheckOutput(BaseModel):
    ok: bool
    detail: str


class ReadinessOutput(BaseModel):
    status: str = Field(description="ready or unavailable")
    checks: dict[str, CheckOutput] = Field(description="database, broker and schema")


class FaultOutput(BaseModel):
    pointer: str = Field(description="JSON pointer into the body, or `?name` of a query, `{name}` of a path parameter.")
    detail: str


class Problem(BaseModel):
    """application/problem+json (RFC 9457); `code` is for programs, `detail` for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    retryable: bool
    errors: list[FaultOutput]
