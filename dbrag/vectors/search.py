"""Searching a collection: kept answers first, then by the query's vector, by its words, or by both."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.errors import UndefinedTable
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.documents.model import Collection, Storage
from dbrag.embedding import spend
from dbrag.embedding.texts import text_hash
from dbrag.errors import Transient
from dbrag.runtime import Runtime
from dbrag.vectors.model import Answer, AnsweredBy, Hit, Mode, Question
from dbrag.vectors.parameter import as_parameter
from dbrag.vectors.ranks import fused
from dbrag.vectors.tables import column_type, generation_table
from dbrag.vectors.words import search_words

SQL = beside(__file__, "search.sql")

EF_SEARCH, EF_SEARCH_AT_MOST = 100, 1000
"""Candidates that the graph walk keeps in mind, a segment: fewer than are asked for would silently cut the answer
short. The most is pgvector's."""

FUSED_AT_LEAST, FUSED_AT_MOST = 50, 1000
"""How many of each ranking a hybrid search merges: what stands at place 20 of both can be the best of all."""


class GenerationGone(Transient):
    """The generation was replaced since the collection was looked up, and its table dropped: look it up again."""

    code = "generation_gone"

    def __init__(self) -> None:
        super().__init__("the collection's index has just been replaced: search again")


looked_up_again = retry(retry=retry_if_exception_type(GenerationGone), stop=stop_after_attempt(2), reraise=True)
"""Decorates what looks collections up and searches them: a second time, if they had their generation replaced."""


def search(runtime: Runtime, collection: Collection, question: Question) -> Answer:
    """The chunks of live documents that answer a question, best first.

    Raises: GenerationGone; Invalid where the collection has no full text; what the provider raises for a text that has
    no vector yet.
    """
    kept = runtime.answers.get(collection, question) if runtime.answers else None
    if kept is not None:
        return Answer(kept, AnsweredBy.CACHED)
    answer = _ANSWERS[question.mode](runtime, collection, question)
    if runtime.answers:
        runtime.answers.put(collection, question, answer.hits)
    return answer


def _by_vector(runtime: Runtime, collection: Collection, question: Question) -> Answer:
    vector = embed_query(runtime, collection, question.query or "") if question.vector is None else question.vector
    with runtime.pool.connection() as conn:
        return nearest(conn, collection, np.asarray(vector), question.limit, question.metadata_filter)


def _by_words(runtime: Runtime, collection: Collection, question: Question) -> Answer:
    with runtime.pool.connection() as conn:
        found = search_words(conn, collection, question.query or "", question.limit, question.metadata_filter)
    return Answer(found, AnsweredBy.WORDS)


def _by_both(runtime: Runtime, collection: Collection, question: Question) -> Answer:
    deeper = replace(question, limit=min(max(2 * question.limit, FUSED_AT_LEAST), FUSED_AT_MOST))
    by_words = _by_words(runtime, collection, deeper)
    by_vector = _by_vector(runtime, collection, deeper)
    return Answer(fused(by_vector.hits, by_words.hits, question.limit), AnsweredBy.BOTH)


_ANSWERS = {Mode.VECTOR: _by_vector, Mode.TEXT: _by_words, Mode.HYBRID: _by_both}


def nearest(
    conn: Connection, collection: Collection, vector: NDArray[Any], limit: int, metadata_filter: dict[str, Any] | None
) -> Answer:
    """One query over all live segments; where it comes back short, another one without the graphs, which is exact.

    `vector` (dimensions,). Raises: GenerationGone.
    """
    generation_id, candidates = collection.generation_id, 2 * limit + 20
    ef_search = min(max(candidates, EF_SEARCH), EF_SEARCH_AT_MOST)
    names = {"table": generation_table(generation_id), "type": column_type(collection.storage, collection.dimensions)}
    parameters = {
        "vector": as_parameter(vector, collection.storage),
        "filter": Jsonb(metadata_filter) if metadata_filter else None,
        "limit": limit,
        "candidates": candidates,
        "generation_id": generation_id,
    }
    query = SQL.search_filtered if metadata_filter else SQL.search
    live: list[int] = []
    hits: list[Hit] = []
    try:
        with conn.cursor(row_factory=class_row(Hit)) as cursor:
            # Once, but where a segment was sealed or replaced between the two statements.
            while not hits and (now := _serving_segments(conn, generation_id, ef_search)) != live:
                live = now
                hits = cursor.execute(query.format(**names), parameters | {"segment_ids": live}).fetchall()
            # A graph holds vectors of unit length, rounded anew, and orders them by these.
            hits.sort(key=lambda hit: -hit.score)
            if len(hits) == limit or not live:
                return Answer(hits, AnsweredBy.INDEX)
            exact = cursor.execute(SQL.search_exactly.format(**names), parameters | {"found": len(hits)}).fetchall()
    except UndefinedTable as exc:
        raise GenerationGone from exc
    return Answer(exact, AnsweredBy.EXACT) if exact else Answer(hits, AnsweredBy.INDEX)


def set_search(conn: Connection, generation_id: int, ef_search: int) -> list[int]:
    """Settings for the searches of this transaction; returns the live segments: none before the first is written."""
    return _set_search(conn, generation_id, ef_search)[1]


def _serving_segments(conn: Connection, generation_id: int, ef_search: int) -> list[int]:
    """The same for a generation that serves. Raises: GenerationGone."""
    serves, segment_ids = _set_search(conn, generation_id, ef_search)
    if not serves:
        raise GenerationGone
    return segment_ids


def _set_search(conn: Connection, generation_id: int, ef_search: int) -> tuple[bool, list[int]]:
    row = conn.execute(SQL.set_search, {"generation_id": generation_id, "ef_search": str(ef_search)}).fetchone()
    assert row is not None
    return row[-2], row[-1]


def embed_query(runtime: Runtime, collection: Collection, query: str) -> NDArray[Any]:
    """The query's vector (dimensions,), from the cache where it has been asked for before."""
    return embed_texts(runtime, collection, [query])[0]


def embed_texts(runtime: Runtime, collection: Collection, texts: Sequence[str]) -> list[NDArray[Any]]:
    """Vectors (dimensions,) to search with: those that the cache has not in one request, which no job pays for."""
    texts_by_hash = {text_hash(text): text for text in texts}
    model, dimensions = collection.model, collection.dimensions
    dtype = np.dtype("<f2" if collection.storage is Storage.HALFVEC else "<f4")
    known = runtime.cache.get(model, dimensions, list(texts_by_hash), dtype) if runtime.cache else {}
    missing = [hash_ for hash_ in texts_by_hash if hash_ not in known]
    if missing:
        answer = runtime.provider.embed([texts_by_hash[hash_] for hash_ in missing], model, dimensions)
        new = dict(zip(missing, answer.vectors, strict=True))
        if runtime.cache:  # first: a database that is away now must not make us pay again
            runtime.cache.put(model, dimensions, new, dtype)
        spend.record_query(runtime, collection.tenant_id, model, answer.prompt_tokens)
        known |= new
    return [known[text_hash(text)] for text in texts]
