"""Where a question is answered: in documents, in tables, or in both."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from pydantic.dataclasses import dataclass

from dbrag.catalog import calibrate, home
from dbrag.catalog.calibrate import NO_DOCUMENTS, NO_TABLES
from dbrag.catalog.search import TableHit, in_question, table_hits
from dbrag.catalog.side import Asked, Place, Side, look
from dbrag.database.pool import Connection
from dbrag.database.tenant import as_tenant
from dbrag.documents import collections
from dbrag.documents.model import Collection
from dbrag.errors import NotFound
from dbrag.runtime import Runtime
from dbrag.vectors.model import Hit
from dbrag.vectors.search import looked_up_again

MOST_COLLECTIONS = 5
"""Collections that are searched where none is named, the first by name: each costs some 7 ms of CPU."""

SURE, HARDLY = 0.5, 0.3


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


class Sides(NamedTuple):
    """Both sides of a question; None where there is nothing."""

    documents: Side | None
    tables: Side | None

    @property
    def scores(self) -> Scores:
        """Each side is weighed against the other."""
        documents = self.documents.evidence if self.documents else NO_DOCUMENTS
        tables = self.tables.evidence if self.tables else NO_TABLES
        return Scores(
            calibrate.DOCUMENTS.probability(documents, tables) if self.documents else 0.0,
            calibrate.TABLES.probability(tables, documents) if self.tables else 0.0,
        )


def route(
    runtime: Runtime,
    tenant_id: UUID,
    query: str,
    connections: Sequence[str] | None,
    names: Sequence[str] | None,
    limit: int,
) -> Route:
    """Compares the best of both sides. `names` are collections; None stands for the first, for connections for all.

    Raises: NotFound for a collection or connection that there is not; what `search` raises.
    """
    sides = compare(runtime, tenant_id, query, connections, names)
    scores, (documents, tables) = sides.scores, sides
    return Route(
        verdict(scores),
        scores,
        _passages(documents, limit) if documents else [],
        _tables(runtime, query, tables, limit) if tables else [],
    )


@looked_up_again
def compare(
    runtime: Runtime, tenant_id: UUID, query: str, connections: Sequence[str] | None, names: Sequence[str] | None
) -> Sides:
    """Looks at both sides, with the question embedded once a model. Raises: as `route`."""
    with as_tenant(runtime.pool, tenant_id) as conn:
        filters = in_question(conn, tenant_id, connections)
        chosen = (
            [_named(conn, tenant_id, name) for name in dict.fromkeys(names)]
            if names
            else collections.page(conn, tenant_id, None, MOST_COLLECTIONS)
        )
        catalog = home.find(conn, tenant_id)
    asked = Asked(runtime, query)
    return Sides(
        look(runtime, asked, [Place(collection) for collection in chosen]),
        look(runtime, asked, [Place(catalog, filter_) for filter_ in filters]) if catalog else None,
    )


def verdict(scores: Scores) -> Target:
    """Both where both are sure; else the more probable one, unless that is hardly so either."""
    if min(scores.documents, scores.tables) >= SURE:
        return Target.BOTH
    if max(scores.documents, scores.tables) < HARDLY:
        return Target.NONE
    return Target.DOCUMENTS if scores.documents >= scores.tables else Target.TABLES


def _passages(documents: Side, limit: int) -> list[DocumentHit]:
    return [DocumentHit(documents.collection_of[hit.chunk_id].name, hit) for hit in documents.hits[:limit]]


def _tables(runtime: Runtime, query: str, tables: Side, limit: int) -> list[TableHit]:
    catalog = next(iter(tables.collection_of.values()))
    return table_hits(runtime, catalog, query, tables.hits[:limit])


def _named(conn: Connection, tenant_id: UUID, name: str) -> Collection:
    """A user's own collection. Raises: NotFound, also for the catalog's."""
    if name == home.NAME:
        raise NotFound(f"no collection of yours can be called {name!r}: POST /v1/catalog/search is for tables")
    return collections.get(conn, tenant_id, name)
