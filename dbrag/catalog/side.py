"""One side of a question, documents or tables: what is found in some collections, and what speaks for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from dbrag.catalog import strangers
from dbrag.catalog.calibrate import Evidence
from dbrag.catalog.strangers import Measure
from dbrag.documents.model import NO_LANGUAGE, Collection, Storage
from dbrag.runtime import Runtime
from dbrag.vectors.model import Hit, Mode, Question
from dbrag.vectors.ranks import fused
from dbrag.vectors.search import embed_texts, search
from dbrag.vectors.words import coverage

DEPTH = 20
"""Hits of each ranking in each place; the largest limit of a route."""

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
        self._seen: dict[tuple[str, int, Storage], tuple[list[float], Measure]] = {}

    def seen_by(self, collection: Collection) -> tuple[list[float], Measure]:
        """The question's vector (dimensions,) under the collection's model, and what its similarities are worth."""
        model = collection.model, collection.dimensions, collection.storage
        if model not in self._seen:
            vector, *others = embed_texts(self._runtime, collection, [self.query, *strangers.TEXTS])
            self._seen[model] = vector.tolist(), strangers.measure(others)
        return self._seen[model]


def look(runtime: Runtime, asked: Asked, places: Sequence[Place]) -> Side | None:
    """Searches by meaning and by words; None where nothing is found. Each place costs some 10 ms.

    Raises: what `search` raises.
    """
    by_vector: list[Hit] = []
    by_words: list[Hit] = []
    collection_of: dict[int, Collection] = {}
    for place in places:
        near, worded = _in_place(runtime, asked, place)
        by_vector += near
        by_words += worded
        collection_of |= {hit.chunk_id: place.collection for hit in [*near, *worded]}
    if not by_vector:
        return None
    by_vector.sort(key=lambda hit: -hit.score)
    by_words.sort(key=lambda hit: -hit.score)
    hits = fused(by_vector, by_words, DEPTH)
    best = [hit.score for hit in by_vector[:BEST]]
    covered = _covered(runtime, asked, collection_of[hits[0].chunk_id], hits[0])
    return Side(hits, collection_of, Evidence(sum(best) / len(best), covered))


def _in_place(runtime: Runtime, asked: Asked, place: Place) -> tuple[list[Hit], list[Hit]]:
    """By meaning, with scores that can be compared between models, and by words."""
    collection = place.collection
    vector, measure = asked.seen_by(collection)
    question = Question(asked.query, vector, DEPTH, place.metadata_filter, Mode.VECTOR)
    near = [replace(hit, score=measure.of(hit.score)) for hit in search(runtime, collection, question).hits]
    if collection.language == NO_LANGUAGE:
        return near, []
    return near, search(runtime, collection, replace(question, vector=None, mode=Mode.TEXT)).hits


def _covered(runtime: Runtime, asked: Asked, collection: Collection, hit: Hit) -> float | None:
    if collection.language == NO_LANGUAGE:
        return None
    with runtime.pool.connection() as conn:
        return coverage(conn, collection, asked.query, hit.text)
