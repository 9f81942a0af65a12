"""Texts that wait for their vectors, made without splitting a document."""

from uuid import UUID, uuid4

from dbrag.database.pool import Connection
from dbrag.documents import endings
from dbrag.documents.model import Collection
from dbrag.errors import Permanent

JOB = """
INSERT INTO jobs (id, tenant_id, kind, queue, collection_id, status, started_at, publish_at, total, prepared)
VALUES (%s, %s, 'batch_embed', 'default', %s, 'running', now(), NULL, 1, 1)
"""
ITEM = "INSERT INTO job_items (job_id, tenant_id, index, external_id, status) VALUES (%s, %s, 0, %s, 'embedding')"
TEXTS = """
WITH d AS (
    INSERT INTO documents (tenant_id, collection_id, external_id)
    VALUES (%(tenant_id)s, %(collection_id)s, %(name)s) RETURNING id
), v AS (
    INSERT INTO document_versions (tenant_id, document_id, version, status, job_id, item_index)
    SELECT %(tenant_id)s, id, 1, 'waiting', %(job_id)s, 0 FROM d RETURNING id
), c AS (
    INSERT INTO chunks (tenant_id, collection_id, version_id, position, start_offset, end_offset, tokens, hash, text)
    SELECT %(tenant_id)s, %(collection_id)s, v.id, i, i, i + 1, 4, sha256((%(name)s || ' ' || i)::bytea),
           %(name)s || ' ' || i
    FROM v, generate_series(1, %(count)s) AS i RETURNING id, version_id, hash
)
INSERT INTO pending
    (chunk_id, tenant_id, version_id, job_id, generation_id, model, dimensions, queue_rank, tokens, hash)
SELECT id, %(tenant_id)s, version_id, %(job_id)s, %(generation_id)s, %(model)s, %(dimensions)s, %(queue_rank)s, 4, hash
FROM c
"""


def put(conn: Connection, collection: Collection, count: int, queue_rank: int = 1, name: str | None = None) -> UUID:
    """One document of so many texts `<name> 1`, …, split and waiting; returns its job. `conn` is in autocommit."""
    job_id, name = uuid4(), name or str(uuid4())
    with conn.transaction():
        conn.execute(JOB, [job_id, collection.tenant_id, collection.id])
        conn.execute(ITEM, [job_id, collection.tenant_id, name])
        conn.execute(
            TEXTS,
            {
                "tenant_id": collection.tenant_id,
                "collection_id": collection.id,
                "generation_id": collection.generation_id,
                "model": collection.model,
                "dimensions": collection.dimensions,
                "job_id": job_id,
                "queue_rank": queue_rank,
                "name": name,
                "count": count,
            },
        )
    return job_id


def clear(conn: Connection) -> None:
    """Nobody waits; what other tests have left would be claimed first."""
    for (job_id,) in conn.execute("SELECT DISTINCT job_id FROM pending").fetchall():
        with conn.transaction():
            endings.fail(conn, job_id, Permanent("cleared"))
    conn.execute("DELETE FROM pending")
    conn.execute("DELETE FROM pauses")
