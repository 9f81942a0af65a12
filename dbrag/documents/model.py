"""What a collection and a document are, and what a user submits to make them."""

from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic.dataclasses import dataclass


class Storage(StrEnum):
    """The column type of a collection's vectors: half precision (2 bytes a dimension) or single (4 bytes)."""

    HALFVEC = "halfvec"
    VECTOR = "vector"

    @property
    def max_dimensions(self) -> int:
        """The most dimensions that pgvector 0.8 can index with HNSW."""
        return 4000 if self is Storage.HALFVEC else 2000


NO_LANGUAGE = "none"
# fmt: off
LANGUAGES = [
    "simple", "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "finnish", "french",
    "german", "greek", "hindi", "hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali",
    "norwegian", "portuguese", "romanian", "russian", "serbian", "spanish", "swedish", "tamil", "turkish",
    "yiddish",
]
# fmt: on
"""The text search configurations that PostgreSQL 14 and later have; they also stand in migration 0004."""


@dataclass(frozen=True, slots=True)
class Chunking:
    """How documents are split: tokens in a chunk at most, and tokens that neighbours share."""

    max_tokens: int
    overlap_tokens: int


@dataclass(frozen=True, slots=True)
class CollectionWish:
    """What a PUT asks for; None stands for the default, or for what the collection has already."""

    model: str | None = None
    dimensions: int | None = None
    storage: Storage | None = None
    m: int | None = None
    ef_construction: int | None = None
    max_tokens: int | None = None
    overlap_tokens: int | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a collection is on its way to, and the job that takes it there."""

    model: str
    dimensions: int
    storage: Storage
    m: int
    ef_construction: int
    job_id: UUID


@dataclass(frozen=True, slots=True)
class Collection:
    """A named set of documents of one tenant, with one embedding model and chunking policy.

    What concerns vectors is that of the generation that serves; `version` changes with whatever searches see.
    `language`: the one of LANGUAGES in which words are looked up, or NO_LANGUAGE.
    """

    id: int
    tenant_id: UUID
    name: str
    model: str
    dimensions: int
    storage: Storage
    m: int
    ef_construction: int
    max_tokens: int
    overlap_tokens: int
    language: str
    generation_id: int
    version: int
    created_at: datetime
    paused_at: datetime | None = None
    building: Change | None = None

    @property
    def chunking(self) -> Chunking:
        return Chunking(self.max_tokens, self.overlap_tokens)


@dataclass(frozen=True, slots=True)
class Submission:
    """One document or text as it was sent: either `text`, or `content` (a file's bytes) to be extracted."""

    external_id: str
    text: str | None = None
    content: bytes | None = None
    media_type: str | None = None
    filename: str | None = None
    title: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def size(self) -> int:
        """Bytes of the text, as UTF-8, or of the file."""
        return len(self.content or b"") if self.text is None else len(self.text.encode())


@dataclass(frozen=True, slots=True)
class Refusal:
    """An item of a batch that cannot be accepted, with the reason; it becomes a failed item of the job."""

    external_id: str | None
    code: str
    detail: str


class OnConflict(StrEnum):
    """What becomes of an item whose document exists: it is live, or on its way to it."""

    REPLACE = "replace"
    SKIP = "skip"
    ERROR = "error"


class DocumentStatus(StrEnum):
    LIVE = "live"
    PROCESSING = "processing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Document:
    """A document as its owner sees it: the live version, else the newest one.

    `text` is None until it has been extracted; chunks' `start` and `end` count its characters.
    """

    external_id: str
    status: DocumentStatus
    version: int
    title: str | None
    metadata: dict[str, Any]
    text: str | None
    chunks: int
    job_id: UUID
    created_at: datetime
    updated_at: datetime
