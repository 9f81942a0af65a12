"""Live documents of one chunk each, with a vector, made without the way through the queue."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from dbrag.database.pool import Connection
from dbrag.documents import documents
from dbrag.documents.model import Collection
from dbrag.errors import Transient
from dbrag.vectors import generations, segments

INSERT = """
WITH d AS (
    INSERT INTO documents (tenant_id, collection_id, external_id)
    SELECT %(tenant_id)s, %(collection_id)s, unnest(%(names)s::text[]) RETURNING id, external_id
), v AS (
    INSERT INTO document_versions (tenant_id, document_id, version, status, job_id, item_index)
    SELECT %(tenant_id)s, id, 1, 'live', %(job_id)s, 0 FROM d RETURNING id, document_id
), c AS (
    INSERT INTO chunks (tenant_id, collection_id, version_id, position, start_offset, end_offset, tokens, hash, text)
    SELECT %(tenant_id)s, %(collection_id)s, v.id, 0, 0, 1, 1, sha256(d.external_id::bytea), d.external_id
    FROM v JOIN d ON d.id = v.document_id RETURNING id, text
)
SELECT text, id FROM c
"""
JOB = """
INSERT INTO jobs (id, tenant_id, kind, queue, status, started_at, finished_at, publish_at)
VALUES (%s, %s, 'batch_embed', 'low', 'succeeded', now(), now(), NULL)
"""


def random_vectors(count: int, dimensions: int, seed: int = 0) -> NDArray[np.float32]:
    """Unit vectors (count, dimensions)."""
    vectors = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def store(conn: Connection, collection: Collection, names: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """Makes live documents of these names, and writes their vectors to the fresh segment; `conn` is in autocommit."""
    generation = generations.of_collection(conn, collection.id)
    job_id = uuid4()
    conn.execute(JOB, [job_id, collection.tenant_id])
    values: dict[str, Any] = {
        "tenant_id": collection.tenant_id,
        "collection_id": collection.id,
        "names": list(names),
        "job_id": job_id,
    }
    while True:
        with conn.transaction():
            segments.ensure_fresh(conn, generation.id)
        try:
            with conn.transaction():
                ids = {row[0]: row[1] for row in conn.execute(INSERT, values)}
                segments.write(conn, generation, [ids[name] for name in names], vectors)
        except Transient:  # sealed in between, as for every writer
            continue
        return


def fill_segments(conn: Connection, collection: Collection, sizes: Sequence[int], seed: int = 0) -> NDArray[np.float32]:
    """Sealed segments of these sizes, of documents `<segment>-<row>`; returns their vectors, one after the other."""
    vectors = random_vectors(sum(sizes), collection.dimensions, seed)
    start = 0
    for number, size in enumerate(sizes):
        names = [f"{seed}-{number}-{row}" for row in range(size)]
        store(conn, collection, names, vectors[start : start + size])
        assert segments.seal(conn, collection.generation_id)
        start += size
    return vectors


def delete(conn: Connection, collection: Collection, name: str) -> None:
    """As a user does."""
    with conn.transaction():
        documents.delete(conn, collection, name)


def statuses(conn: Connection, collection: Collection) -> list[tuple[str, int]]:
    """(status, rows) of the collection's segments, oldest first; counted."""
    found = conn.execute(
        "SELECT id, status FROM segments WHERE generation_id = %s ORDER BY id", [collection.generation_id]
    ).fetchall()
    return [(status, segments.rows(conn, collection.generation_id, id_)) for id_, status in found]
