"""Chunks with vectors, written straight into the tables: a collection to search without anybody who embeds."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from psycopg.sql import SQL, Identifier
from uuid_utils.compat import uuid7

from dbrag.database.pool import Connection
from dbrag.documents import collections
from dbrag.documents.model import Collection
from dbrag.vectors import generations, segments
from dbrag.vectors.tables import segment_table_name

Metadata = Callable[[int], dict[str, Any]]


def clustered(count: int, dimensions: int, seed: int = 7, clusters: int = 100) -> NDArray[np.float32]:
    """Vectors (count, dimensions) of unit length around some centres, as texts of some subjects have them."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((clusters, dimensions), dtype=np.float32)
    vectors = random.standard_normal((count, dimensions), dtype=np.float32) * np.float32(0.7)
    vectors += centres[random.integers(clusters, size=count)]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def add_documents(
    conn: Connection, collection: Collection, metadata: Sequence[dict[str, Any]], chunks_each: int = 1, size: int = 40
) -> list[int]:
    """Live documents of so many chunks each, whose texts have `size` characters; returns the chunks' ids in order."""
    with conn.transaction():
        job_id = uuid7()
        conn.execute(INSERT_JOB, {"id": job_id, "tenant_id": collection.tenant_id})
        rows = conn.execute(
            INSERT_CHUNKS,
            {
                "tenant_id": collection.tenant_id,
                "collection_id": collection.id,
                "job_id": job_id,
                "metadata": [orjson.dumps(one).decode() for one in metadata],
                "chunks_each": chunks_each,
                "size": size,
            },
        ).fetchall()
        collections.count_version(conn, [collection.id])
    return [row[0] for row in rows]


def add_vectors(
    conn: Connection, collection: Collection, chunk_ids: Sequence[int], vectors: NDArray[np.float32]
) -> None:
    """Writes into the fresh segment."""
    generation = generations.of_collection(conn, collection.id)
    with conn.transaction():
        segments.ensure_fresh(conn, generation.id)
    with conn.transaction():
        segments.write(conn, generation, chunk_ids, vectors)


def index_fresh_segment(conn: Connection, collection: Collection, m: int = 16, ef_construction: int = 64) -> int:
    """Seals the fresh segment and builds its graph; returns the segment's id."""
    generation = generations.of_collection(conn, collection.id)
    with conn.transaction():
        row = conn.execute(
            "UPDATE segments SET status = 'indexed', sealed_at = now(), indexed_at = now() "
            "WHERE generation_id = %s AND status = 'fresh' RETURNING id",
            [generation.id],
        ).fetchone()
        assert row is not None
        names = {
            "segment": Identifier(segment_table_name(generation.id, row[0])),
            "operators": Identifier(f"{generation.storage}_cosine_ops"),
            "m": m,
            "ef_construction": ef_construction,
        }
        conn.execute(
            SQL(
                "CREATE INDEX ON {segment} USING hnsw (embedding {operators}) "
                "WITH (m = {m}, ef_construction = {ef_construction})"
            ).format(**names)
        )
        conn.execute(SQL("ANALYZE {segment}").format(**names))
    return row[0]


INSERT_JOB = """
INSERT INTO jobs (id, tenant_id, kind, status, queue, started_at, finished_at, publish_at)
VALUES (%(id)s, %(tenant_id)s, 'batch_embed', 'succeeded', 'default', now(), now(), NULL)"""

INSERT_CHUNKS = """
WITH given AS (
    SELECT place, metadata::jsonb AS metadata, nextval(pg_get_serial_sequence('documents', 'id')) AS document_id,
           nextval(pg_get_serial_sequence('document_versions', 'id')) AS version_id
    FROM unnest(%(metadata)s::text[]) WITH ORDINALITY AS m (metadata, place)
), d AS (
    INSERT INTO documents (id, tenant_id, collection_id, external_id) OVERRIDING SYSTEM VALUE
    SELECT document_id, %(tenant_id)s, %(collection_id)s, document_id::text FROM given
), v AS (
    INSERT INTO document_versions (id, tenant_id, document_id, version, status, job_id, item_index, metadata)
    OVERRIDING SYSTEM VALUE
    SELECT version_id, %(tenant_id)s, document_id, 1, 'live', %(job_id)s, place, metadata FROM given
)
INSERT INTO chunks (tenant_id, collection_id, version_id, position, start_offset, end_offset, tokens, hash, text)
SELECT %(tenant_id)s, %(collection_id)s, version_id, n, 0, %(size)s, 1,
       sha256(convert_to(document_id || ' ' || n, 'utf8')),
       rpad(document_id || ' ' || n || ' ', %(size)s, 'lorem ipsum ')
FROM given, generate_series(1, %(chunks_each)s) AS n ORDER BY place, n RETURNING id"""
