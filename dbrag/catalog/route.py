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
SURE, HARDLY = 0.5, 0.15


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
    """What one collection has to say: hits, best first, and what speaks for the first."""

    collection: Collection
    hits: list[Hit]
    features: Features

    def probability(self, curve: Curve) -> float:
        """That its best hit answers the question."""
        return curve.probability(self.features) if self.hits else 0.0


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
    documents = [side(runtime, collection, query) for collection in chosen]
    documents.sort(key=lambda one: -one.probability(calibrate.DOCUMENTS))
    tables = side(runtime, catalog, query, connections) if catalog else None
    scores = Scores(
        max((one.probability(calibrate.DOCUMENTS) for one in documents), default=0.0),
        tables.probability(calibrate.TABLES) if tables else 0.0,
    )
    return Route(
        verdict(scores),
        scores,
        [DocumentHit(one.collection.name, hit) for one in documents for hit in one.hits[:limit]][:limit],
        table_hits(runtime, tables.collection, query, tables.hits[:limit]) if tables else [],
    )


def verdict(scores: Scores) -> Target:
    """Both where both are sure; else the more probable one, unless that is hardly so either."""
    if min(scores.documents, scores.tables) >= SURE:
        return Target.BOTH
    if max(scores.documents, scores.tables) < HARDLY:
        return Target.NONE
    return Target.DOCUMENTS if scores.documents >= scores.tables else Target.TABLES


def side(runtime: Runtime, collection: Collection, query: str, connections: Sequence[str] | None = None) -> Side:
    """Searches one collection by meaning and by words; of the catalog's, the tables of these connections."""
    filters = [{"connection": name} for name in connections] if connections else [None]
    by_vector: list[Hit] = []
    by_words: list[Hit] = []
    for filter_ in filters:
        by_vector += search(runtime, collection, Question(query, None, DEPTH, filter_, Mode.VECTOR)).hits
        if collection.language != NO_LANGUAGE:
            by_words += search(runtime, collection, Question(query, None, DEPTH, filter_, Mode.TEXT)).hits
    by_vector.sort(key=lambda hit: -hit.score)
    by_words.sort(key=lambda hit: -hit.score)
    hits = fused(by_vector, by_words, DEPTH)
    covered = 0.0
    if hits and collection.language != NO_LANGUAGE:
        with runtime.pool.connection() as conn:
            covered = coverage(conn, collection, query, hits[0].text)
    return Side(collection, hits, Features(calibrate.gap(by_vector), covered))
