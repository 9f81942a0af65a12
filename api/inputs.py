"""What requests hold, as models: of bodies, of query parameters (…Query), of paths (…Path) and of headers."""

import re
from functools import cache
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api.fields import ExternalId, Line, Metadata, Question, Queue, Strict, Text
from dbrag.accounts.usage import By
from dbrag.documents.model import OnConflict, Storage
from dbrag.jobs.model import ItemStatus, Kind, Status
from dbrag.jobs.model import Queue as QueueName
from dbrag.vectors.model import Mode


class Parameters(BaseModel):
    """Query parameters or headers."""

    @classmethod
    @cache
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]  # cached
        """The same as pydantic's, kept: flask-openapi3 asks for it in every request, and it takes 0.4 ms to make."""
        return super().model_json_schema(*args, **options)


class CollectionPath(BaseModel):
    name: str = Field(description="Name of a collection.")


class NewCollectionPath(BaseModel):
    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$",
        description="1–63 of a–z, 0–9, `_` and `-`, the first a letter or a digit.",
    )


class DocumentPath(CollectionPath):
    external_id: str = Field(description="Your name for the document; it may hold slashes.")


class JobPath(BaseModel):
    job_id: UUID = Field(description="Id of a job.")


class ChunkingInput(Strict):
    max_tokens: int | None = Field(None, ge=16, le=8192, description="Tokens in a chunk at most.")
    overlap_tokens: int | None = Field(None, ge=0, lt=8192, description="Tokens that neighbours share.")


class CollectionInput(Strict):
    """What is left out gets the default, or stays as the collection has it."""

    model: Line | None = Field(None, description="Embedding model.")
    dimensions: int | None = Field(None, ge=1, le=4000, description="Length of a vector; the model's own by default.")
    storage: Annotated[Storage, Field(strict=False)] | None = Field(None, description="Bytes a dimension: 2 or 4.")
    m: int | None = Field(None, ge=2, le=100, description="HNSW: neighbours of an element in each layer.")
    ef_construction: int | None = Field(
        None, ge=4, le=1000, description="HNSW: candidates kept while building; at least 2 × m."
    )
    language: Line | None = Field(
        None, description="In which words are looked up: one of PostgreSQL's, `simple` or `none`. It stays."
    )
    chunking: ChunkingInput = Field(default_factory=lambda: ChunkingInput.model_validate({}))


class TextInput(Strict):
    """A ready-made text, embedded as it is."""

    external_id: ExternalId | None = Field(None, description="Your name for it; a UUID by default.")
    text: Text
    metadata: Metadata = Field({}, description="Whatever you want to filter by; at most 64 KiB.")


class DocumentInput(TextInput):
    """A document whose text is known."""

    title: Line | None = None


class SingleInput(DocumentInput):
    """One document on its own, which may name its queue."""

    queue: Queue | None = None


class FileInput(Strict):
    """The form fields beside a file."""

    external_id: ExternalId | None = None
    title: Line | None = None
    metadata: Metadata = Field(default={})
    queue: Queue | None = None


def _comparable(vector: list[float]) -> list[float]:
    # As half precision, in which vectors are stored, larger numbers are infinite, and much smaller ones 0.
    if not 1e-4 <= max(map(abs, vector), default=0) <= 65_504:
        raise PydanticCustomError("vector", "must have its largest number between 0.0001 and 65504, but for the sign")
    return vector


class SearchInput(Strict):
    query: Question | None = Field(None, description="A question or a passage.")
    vector: Annotated[list[float], AfterValidator(_comparable)] | None = Field(
        None, description="Instead of `query`: a vector of the collection's model and dimensions."
    )
    limit: int = Field(10, ge=1, le=1000)
    filter: Metadata | None = Field(None, description="Finds only documents whose metadata contain this object.")
    mode: Annotated[Mode, Field(strict=False)] = Field(
        Mode.VECTOR, description="What to go by: the meaning, the words of `query` (`text`), or both (`hybrid`)."
    )

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.query is None) == (self.vector is None):
            raise PydanticCustomError("question", "give exactly one of `query` and `vector`")
        if self.mode is not Mode.VECTOR and self.query is None:
            raise PydanticCustomError("question", "a vector has no words: give `query` for this mode")
        return self


class MoveInput(Strict):
    queue: Queue = Field(description="Which queue the rest of the job is to wait in.")


def _failed(status: Status) -> Status:
    if status not in (Status.FAILED, Status.COMPLETED_WITH_ERRORS):
        raise PydanticCustomError("status", "must be `failed` or `completed_with_errors`")
    return status


class RetryInput(Strict):
    """Which jobs to try again: those that match all that is given, and something must be."""

    status: Annotated[Status, Field(strict=False), AfterValidator(_failed)] | None = Field(
        None, description="`failed` or `completed_with_errors`; both by default."
    )
    kind: Annotated[Kind, Field(strict=False)] | None = None
    queue: Queue | None = None
    collection: Line | None = Field(None, description="Name of a collection.")
    code: Line | None = Field(
        None, description="Code of an item's error: only such items are tried again. Or that of the job's error."
    )
    since: Annotated[AwareDatetime, Field(strict=False)] | None = Field(
        None, description="Accepted at this time or later (RFC 3339)."
    )
    until: Annotated[AwareDatetime, Field(strict=False)] | None = Field(
        None, description="Accepted before this time (RFC 3339)."
    )
    limit: int = Field(100, ge=1, le=1000, description="Jobs at most, the oldest first.")
    cursor: Annotated[UUID, Field(strict=False)] | None = Field(
        None, description="`next_cursor` of the answer before, so that no job is tried twice."
    )

    @model_validator(mode="after")
    def _some_filter(self) -> Self:
        pages = {"limit", "cursor"}
        if not self.model_dump(exclude=pages, exclude_none=True):
            names = ", ".join(name for name in type(self).model_fields if name not in pages)
            raise PydanticCustomError("filter", "give at least one of {names}", {"names": names})
        return self


class QueueQuery(Parameters):
    model_config = ConfigDict(extra="forbid")

    queue: QueueName = Field(QueueName.DEFAULT, description="Which queue the job waits in.")


class IngestQuery(QueueQuery):
    on_conflict: OnConflict = Field(
        OnConflict.REPLACE,
        description="What becomes of an item whose document exists: `replace` it, `skip` the item, or `error`.",
    )
    dry_run: bool = Field(False, description="Do nothing, and answer (200) what it would cost.")


class PageQuery(Parameters):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=200, description="Entries on a page at most.")


class PutCollectionQuery(Parameters):
    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(False, description="Change nothing, and answer what it would cost.")


class CollectionsQuery(PageQuery):
    cursor: Line | None = Field(None, description="`next_cursor` of the page before.")


class JobsQuery(PageQuery):
    cursor: UUID | None = Field(None, description="`next_cursor` of the page before.")
    status: Status | None = None
    kind: Kind | None = None
    queue: QueueName | None = None
    collection: Line | None = Field(None, description="Name of a collection.")
    code: Line | None = Field(None, description="Code of the job's error, or of that of one of its failed items.")
    since: AwareDatetime | None = Field(None, description="Accepted at this time or later (RFC 3339).")
    until: AwareDatetime | None = Field(None, description="Accepted before this time (RFC 3339).")


def _midnight(value: Any) -> Any:
    """A date stands for its beginning in UTC."""
    return f"{value}T00:00:00Z" if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) else value


Instant = Annotated[AwareDatetime, BeforeValidator(_midnight)]


class UsageQuery(PageQuery):
    by: By = Field(By.DAY, description="What to sum up by.")
    since: Instant | None = Field(
        None, description="From this time on (RFC 3339, or a date, in UTC); 30 days before `until` by default."
    )
    until: Instant | None = Field(None, description="Before this time, or the beginning of this date; now by default.")
    limit: int = Field(50, ge=1, le=200, description="By job: entries on a page at most.")
    cursor: UUID | None = Field(None, description="By job: `next_cursor` of the page before.")


class ItemsQuery(PageQuery):
    cursor: int | None = Field(None, ge=0, le=2**31 - 1, description="`next_cursor` of the page before.")
    status: ItemStatus | None = None


class EventsHeaders(Parameters):
    last_event_id: int = Field(
        0, alias="Last-Event-ID", ge=0, lt=1 << 63, description="The `id` of the last event seen: go on behind it."
    )


class ConditionHeaders(Parameters):
    if_none_match: str | None = Field(
        None, alias="If-None-Match", description="The `ETag` of what is known: 304 without a body while it is the same."
    )


class JobHeaders(Parameters):
    prefer: str | None = Field(
        None, alias="Prefer", description="`wait=N`: hold the answer until the job ends, for N (at most 30) seconds."
    )
    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        pattern=r"^[\x20-\x7e]{1,255}$",
        description="Your name for this request, such as a UUID: sent again within 24 hours with the same key and "
        "content, it makes no second job and gets the first answer.",
    )
