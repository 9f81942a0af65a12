"""One side of a question, documents or tables: what is found in some collections, and what speaks for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from numpy.typing import NDArray

from dbrag.catalog import strangers
from dbrag.catalog.calibrate import Evidence
from dbrag.catalog.strangers import Measure, Model
from dbrag.documents.model import NO_LANGUAGE, Collection
from dbrag.runtime import Runtime
from dbrag.vectors.model import Hit
from dbrag.vectors.ranks import fused
from dbrag.vectors.search import embed_texts, nearest
from dbrag.vectors.words import Term, coverage, find_terms, search_terms

DEPTH = 20
"""Hits of each ranking in each place: the largest limit of a route, and always, as the evidence depends on it."""

BEST = 3
"""One text that happens to be near says less than the three nearest."""


class Place(NamedTuple):
    """Where is searched: a collection, or those of its documents whose metadata match."""

    collection: Collection
    metadata_filter: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """Hits of all places, best first, and the collection of each by its chunk."""

    hits: list[Hit]
    collection_of: dict[int, Collection]
    evidence: Evidence


class Asked:
    """A question, embedded once for each model that it is compared by; for one thread."""

    def __init__(self, runtime: Runtime, query: str) -> None:
        self.query = query
        self._runtime = runtime
        self._vectors: dict[Model, NDArray[Any]] = {}

    def seen_by(self, collection: Collection) -> tuple[NDArray[Any], Measure]:
        """The question's vector (dimensions,) under the collection's model, and what its similarities are worth."""
        model, measures = (collection.model, collection.dimensions, collection.storage), self._runtime.measures
        if model not in self._vectors:
            unmeasured = () if model in measures else strangers.TEXTS
            self._vectors[model], *others = embed_texts(self._runtime, collection, [self.query, *unmeasured])
            if others:
                measures[model] = strangers.measure(others)
        return self._vectors[model], measures[model]


class Found(NamedTuple):
    """In one place: by meaning, with scores that can be compared between models, and by words."""

    near: list[Hit]
    worded: list[Hit]
    terms: list[Term]


def look(runtime: Runtime, asked: Asked, places: Sequence[Place]) -> Side | None:
    """Searches by meaning and by words; None where nothing is found.

    Raises: GenerationGone; what the provider raises for a question that has no vector yet.
    """
    by_vector: list[Hit] = []
    by_words: list[Hit] = []
    origin: dict[int, tuple[Collection, list[Term]]] = {}
    for collection, metadata_filter in places:
        found = _in_place(runtime, asked, collection, metadata_filter)
        by_vector += found.near
        by_words += found.worded
        origin |= {hit.chunk_id: (collection, found.terms) for hit in [*found.near, *found.worded]}
    if not by_vector:
        return None
    by_vector.sort(key=lambda hit: -hit.score)
    by_words.sort(key=lambda hit: -hit.score)
    hits = fused(by_vector, by_words, DEPTH)
    best = [hit.score for hit in by_vector[:BEST]]
    with runtime.pool.connection() as conn:
        covered = coverage(conn, *origin[hits[0].chunk_id], hits[0].text)
    collection_of = {chunk_id: collection for chunk_id, (collection, _) in origin.items()}
    return Side(hits, collection_of, Evidence(sum(best) / len(best), covered))


def _in_place(runtime: Runtime, asked: Asked, collection: Collection, metadata_filter: dict[str, Any] | None) -> Found:
    """On one connection, and not by way of the answers that are kept: there is much to a route that is asked once."""
    vector, measure = asked.seen_by(collection)
    with runtime.pool.connection() as conn:
        hits = nearest(conn, collection, vector, DEPTH, metadata_filter).hits
        near = [replace(hit, score=measure.of(hit.score)) for hit in hits]
        if collection.language == NO_LANGUAGE:
            return Found(near, [], [])
        terms = find_terms(conn, collection, asked.query)
        return Found(near, search_terms(conn, collection, terms, DEPTH, metadata_filter), terms)
