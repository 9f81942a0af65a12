"""What is known of a collection's vectors: generations, segments, and the hits of a search."""

from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic.dataclasses import dataclass

from dbrag.documents.model import Storage


class GenerationStatus(StrEnum):
    """What a collection uses a generation for; see migrations/versions/0002_generations.sql."""

    BUILDING = "building"
    CATCHING_UP = "catching_up"
    SERVING = "serving"
    KEPT = "kept"
    ABANDONED = "abandoned"


class SegmentStatus(StrEnum):
    """fresh: takes writes, searched exactly; sealed: takes no more; indexed: has its HNSW index; retired: replaced.

    building: made by a merge, and not searched yet.
    """

    FRESH = "fresh"
    SEALED = "sealed"
    INDEXED = "indexed"
    BUILDING = "building"
    RETIRED = "retired"

    @property
    def is_searched(self) -> bool:
        return self not in (SegmentStatus.BUILDING, SegmentStatus.RETIRED)


@dataclass(frozen=True, slots=True)
class Target:
    """What a generation is made with; `m` and `ef_construction` are those of its HNSW indexes."""

    model: str
    dimensions: int
    storage: Storage
    m: int
    ef_construction: int


@dataclass(frozen=True, slots=True)
class Generation:
    """All vectors of a collection under one model, dimensions and index settings; `id` names its table."""

    id: int
    collection_id: int
    model: str
    dimensions: int
    storage: Storage
    m: int
    ef_construction: int
    status: GenerationStatus

    @property
    def target(self) -> Target:
        return Target(self.model, self.dimensions, self.storage, self.m, self.ef_construction)

    def can_be_copied_to(self, target: Target) -> bool:
        """Whether its vectors are what `target` needs: of the same model and length, and no less exact."""
        same = (self.model, self.dimensions) == (target.model, target.dimensions)
        return same and (self.storage is Storage.VECTOR or target.storage is Storage.HALFVEC)

    @property
    def is_being_built(self) -> bool:
        return self.status in (GenerationStatus.BUILDING, GenerationStatus.CATCHING_UP)


@dataclass(frozen=True, slots=True)
class Written:
    """A generation that takes new chunks; `job_id` is the job that builds it, None for the one that serves."""

    id: int
    model: str
    dimensions: int
    status: GenerationStatus
    job_id: UUID | None


@dataclass(frozen=True, slots=True)
class Segment:
    """One partition of a generation; `rows` includes rows of chunks that are not live, `bytes` its table and index."""

    id: int
    status: SegmentStatus
    rows: int
    bytes: int
    created_at: datetime
    sealed_at: datetime | None
    indexed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Past:
    """A generation as its owner sees it: when it was made, served first, and until when it can be rolled back to."""

    id: int
    status: GenerationStatus
    model: str
    dimensions: int
    storage: Storage
    m: int
    ef_construction: int
    created_at: datetime
    served_at: datetime | None
    kept_until: datetime | None


@dataclass(frozen=True, slots=True)
class IndexReport:
    """A collection's index: the generation that serves, its segments, and all generations, oldest first."""

    generation: Generation
    segments: list[Segment]
    generations: list[Past]

    @property
    def rows(self) -> int:
        """Rows that searches see."""
        return sum(segment.rows for segment in self.segments if segment.status.is_searched)


@dataclass(frozen=True, slots=True)
class Span:
    """Character offsets into a document's text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found: `start` and `end` are character offsets into its document's text.

    `score`: 1 − cosine distance; by words, how much of the question's rare words it has (> 0); in a hybrid search 1 for
    what is first by both. `page` and `headings`: of the place where it begins, as far as the format of its document has
    them. `highlights`: where words of the question stand in the document's text.
    """

    external_id: str
    chunk_id: int
    text: str
    start: int
    end: int
    score: float
    metadata: dict[str, Any]
    page: int | None = None
    headings: list[str] = field(default_factory=list[str])
    highlights: list[Span] = field(default_factory=list[Span])


class Mode(StrEnum):
    """What a search goes by: the meaning (vectors), the words (full text), or both."""

    VECTOR = "vector"
    TEXT = "text"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for: a text, or a vector (dimensions,) in its place, among documents whose metadata match."""

    query: str | None
    vector: list[float] | None
    limit: int
    metadata_filter: dict[str, Any] | None
    mode: Mode = Mode.VECTOR


class AnsweredBy(StrEnum):
    """index: one statement over all segments; exact: a second one, without graphs; words: full text; both: a vector
    search and full text; cached: none of them.
    """

    INDEX = "index"
    EXACT = "exact"
    WORDS = "words"
    BOTH = "both"
    CACHED = "cached"


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits of a search, best first, and how they were found."""

    hits: list[Hit]
    by: AnsweredBy


@dataclass(frozen=True, slots=True)
class Recall:
    """Answers of a generation's graphs compared with exact ones; see dbrag/vectors/recall.py.

    `ef_search_needed` would meet the floor; None where it is met, or where nothing that was tried would.
    """

    samples: int
    ef_search: int
    recall_at_10: float
    floor: float
    ef_search_needed: int | None
    p50_ms: float
    p95_ms: float
    exact_p50_ms: float

    @property
    def warning(self) -> str | None:
        """What to tell who runs the collection; None where the floor is met."""
        if self.recall_at_10 >= self.floor:
            return None
        advice = (
            f"an ef_search of {self.ef_search_needed} would meet it"
            if self.ef_search_needed
            else "no ef_search would meet it: build the index with a larger m and ef_construction"
        )
        return f"recall@10 is {self.recall_at_10:.2f}, below the floor of {self.floor:g}; {advice}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Recall):
    """A measurement that was kept."""

    at: datetime
