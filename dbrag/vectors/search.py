"""Searching a collection: the query's vector, then one statement over all segments."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector, Vector
from psycopg import IsolationLevel
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.documents.model import Collection, Storage
from dbrag.embedding import spend
from dbrag.embedding.texts import text_hash
from dbrag.runtime import Runtime
from dbrag.vectors import segments
from dbrag.vectors.model import Hit
from dbrag.vectors.tables import column_type, generation_table

SQL = beside(__file__)
# Candidates that the graph walk keeps in mind, a segment; fewer than `limit` would silently cut the answer short.
EF_SEARCH_AT_LEAST = 100


def search(
    runtime: Runtime,
    collection: Collection,
    *,
    query: str | None,
    vector: list[float] | None,
    limit: int,
    metadata_filter: dict[str, Any] | None,
) -> list[Hit]:
    """The chunks of live documents nearest to a text or a vector (dimensions,), best first.

    Raises: what the provider raises for a text that has no vector yet.
    """
    wanted = np.asarray(vector, np.float32) if vector is not None else _embed(runtime, collection, query or "")
    with runtime.pool.connection() as conn, one_snapshot(conn):
        return nearest(conn, collection, wanted, limit, metadata_filter)


@contextmanager
def one_snapshot(conn: Connection) -> Generator[None]:
    """A transaction whose statements see the same segments and rows; `conn` must not be in one.

    Otherwise a document that is replaced between them, its new chunks in a segment made meanwhile, would be missed.
    """
    conn.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with conn.transaction():
            yield
    finally:
        conn.isolation_level = None


def nearest(
    conn: Connection, collection: Collection, vector: NDArray[Any], limit: int, metadata_filter: dict[str, Any] | None
) -> list[Hit]:
    """One query over all segments; where the graph comes back short, another one without it, which is exact.

    `conn` is in `one_snapshot`.
    """
    live = segments.live(conn, collection.generation_id)
    if not live:
        return []
    conn.execute(SQL.set_search, {"ef_search": str(max(limit, EF_SEARCH_AT_LEAST))})
    as_text = HalfVector if collection.storage is Storage.HALFVEC else Vector
    names = {
        "table": generation_table(collection.generation_id),
        "type": column_type(collection.storage, collection.dimensions),
    }
    parameters = {
        "vector": as_text(vector).to_text(),
        "filter": Jsonb(metadata_filter) if metadata_filter else None,
        "limit": limit,
        "segments": live,
    }
    with conn.cursor(row_factory=class_row(Hit)) as cursor:
        hits = cursor.execute(SQL.search.format(**names), parameters).fetchall()
        if len(hits) < limit:
            hits = cursor.execute(SQL.search_exactly.format(**names), parameters).fetchall()
    return hits


def _embed(runtime: Runtime, collection: Collection, query: str) -> NDArray[Any]:
    hash_ = text_hash(query)
    model, dimensions = collection.model, collection.dimensions
    known = runtime.cache.get(model, dimensions, [hash_]) if runtime.cache else {}
    if hash_ in known:
        return known[hash_]
    answer = runtime.provider.embed([query], model, dimensions)
    spend.record_query(runtime, collection.tenant_id, model, answer.prompt_tokens)
    if runtime.cache:
        runtime.cache.put(model, dimensions, {hash_: answer.vectors[0]})
    return answer.vectors[0]
