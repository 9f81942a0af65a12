"""Where a question is answered: in documents, in tables, or in both."""

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from pydantic.dataclasses import dataclass

from dbrag.catalog import calibrate, home
from dbrag.catalog.calibrate import Curve, Features
from dbrag.catalog.search import TableHit, check, table_hits
from dbrag.documents import collections
from dbrag.documents.model import NO_LANGUAGE, Collection
from dbrag.runtime import Runtime
from dbrag.vectors.model import Hit, Mode, Question
from dbrag.vectors.ranks import fused
from dbrag.vectors.search import search
from dbrag.vectors.words import coverage

MOST_COLLECTIONS = 20
"""Collections that are searched where none is named, the first by name: each costs some 10 ms."""

DEPTH = 50
SURE, HARDLY = 0.5, 0.35
"""Both sides answer where both are as sure as that; neither does where neither is even hardly."""


class Target(StrEnum):
    """Which side answers; none: neither seems to."""

    DOCUMENTS = "documents"
    TABLES = "tables"
    BOTH = "both"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class DocumentHit:
    """A passage, and the collection in which it was found."""

    collection: str
    hit: Hit


@dataclass(frozen=True, slots=True)
class Scores:
    """How probable it is that the best of a side answers the question, 0–1; 0 where it has nothing."""

    documents: float
    tables: float


@dataclass(frozen=True, slots=True)
class Route:
    """The verdict, and the best of both sides, best first."""

    target: Target
    scores: Scores
    documents: list[DocumentHit]
    tables: list[TableHit]


@dataclass(frozen=True, slots=True)
class Side:
    """What one collection has to say: hits, best first; the nearest text's similarity, and the best hit's coverage."""

    collection: Collection
    hits: list[Hit]
    similarity: float
    coverage: float

    def lead(self, other: "Side | None") -> float:
        """How much nearer it is than the other side."""
        if other is None or not other.hits or _space(self.collection) != _space(other.collection):
            return 0.0
        return self.similarity - other.similarity

    def probability(self, curve: Curve, other: "Side | None") -> float:
        """That its best hit answers the question."""
        return curve.probability(Features(self.coverage, self.lead(other))) if self.hits else 0.0


def route(
    runtime: Runtime,
    tenant_id: UUID,
    query: str,
    connections: Sequence[str] | None,
    names: Sequence[str] | None,
    limit: int,
) -> Route:
    """Compares the best of both sides. `names` are collections; None stands for all, as it does for connections.

    Raises: NotFound for a collection or connection that there is not; what `search` raises.
    """
    with runtime.pool.connection() as conn:
        check(conn, tenant_id, connections)
        chosen = (
            [collections.get(conn, tenant_id, name) for name in names]
            if names
            else collections.page(conn, tenant_id, None, MOST_COLLECTIONS)
        )
        catalog = home.find(conn, tenant_id)
    tables = look(runtime, catalog, query, connections) if catalog else None
    documents = [look(runtime, collection, query) for collection in chosen]
    documents.sort(key=lambda side: -side.probability(calibrate.DOCUMENTS, tables))
    best = documents[0] if documents else None
    scores = Scores(
        best.probability(calibrate.DOCUMENTS, tables) if best else 0.0,
        tables.probability(calibrate.TABLES, best) if tables else 0.0,
    )
    return Route(
        verdict(scores),
        scores,
        [DocumentHit(side.collection.name, hit) for side in documents for hit in side.hits[:limit]][:limit],
        table_hits(runtime, tables.collection, query, tables.hits[:limit]) if tables else [],
    )


def verdict(scores: Scores) -> Target:
    """Both where both are sure; else the more probable one, unless that is hardly so either."""
    if min(scores.documents, scores.tables) >= SURE:
        return Target.BOTH
    if max(scores.documents, scores.tables) < HARDLY:
        return Target.NONE
    return Target.DOCUMENTS if scores.documents >= scores.tables else Target.TABLES


def look(runtime: Runtime, collection: Collection, query: str, connections: Sequence[str] | None = None) -> Side:
    """Searches one collection by meaning and by words; of the catalog's, the tables of these connections."""
    by_vector = _ranking(runtime, collection, query, connections, Mode.VECTOR)
    if collection.language == NO_LANGUAGE:
        return Side(collection, by_vector, _similarity(by_vector), 0.0)
    hits = fused(by_vector, _ranking(runtime, collection, query, connections, Mode.TEXT), DEPTH)
    with runtime.pool.connection() as conn:
        covered = coverage(conn, collection, query, hits[0].text) if hits else 0.0
    return Side(collection, hits, _similarity(by_vector), covered)


def _ranking(
    runtime: Runtime, collection: Collection, query: str, connections: Sequence[str] | None, mode: Mode
) -> list[Hit]:
    filters = [{"connection": name} for name in connections] if connections else [None]
    rankings = [search(runtime, collection, Question(query, None, DEPTH, only, mode)).hits for only in filters]
    return sorted((hit for hits in rankings for hit in hits), key=lambda hit: -hit.score)


def _similarity(by_vector: Sequence[Hit]) -> float:
    return by_vector[0].score if by_vector else 0.0


def _space(collection: Collection) -> tuple[str, int]:
    """Vectors of the same one can be compared."""
    return collection.model, collection.dimensions
