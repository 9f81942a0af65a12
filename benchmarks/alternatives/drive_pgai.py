"""pgai: the vectorizer worker, with its recursive character splitter and COPY into a table of its own.

The documents lie in its source table before the clock starts. One worker with eight concurrent tasks of 50 documents
(its default), or fewer where they are few and large. Its own HNSW setting waits for a TimescaleDB job, so the index is
made on its table beforehand.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pgai
import psycopg
from pgai.vectorizer import Worker
from pgai.vectorizer.vectorizer import TIKTOKEN_CACHE_DIR

from benchmarks.alternatives import driver

TABLE = "document_embedding_store"
PREPARE = """
    CREATE TABLE document (external_id text PRIMARY KEY, title text NOT NULL, text text NOT NULL)
"""
VECTORIZE = """
    SELECT ai.create_vectorizer(
        'document'::regclass,
        loading => ai.loading_column('text'),
        destination => ai.destination_table(target_table => 'document_embedding_store'),
        embedding => ai.embedding_openai(%(model)s, %(dimensions)s, base_url => %(url)s),
        chunking => ai.chunking_recursive_character_text_splitter(%(chunk)s, %(overlap)s),
        processing => ai.processing_default(batch_size => %(batch)s, concurrency => %(concurrency)s)
    )
"""
INDEX = """
    CREATE INDEX ON document_embedding_store
        USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 64)
"""


@asynccontextmanager
async def prepared(task: driver.Task) -> AsyncIterator[driver.Ingest]:
    """The source table with its documents, the vectorizer, and its table with an index."""
    os.environ["TIKTOKEN_CACHE_DIR"] = TIKTOKEN_CACHE_DIR  # it has the vocabulary that tiktoken would download
    pgai.install(task.database_url)
    with psycopg.connect(task.database_url) as conn:
        conn.execute(PREPARE)
        with conn.cursor().copy("COPY document FROM STDIN") as copy:
            for d in task.documents:
                copy.write_row((d["external_id"], d["title"], d["text"]))
        conn.execute(
            VECTORIZE,
            {
                "model": driver.MODEL,
                "dimensions": driver.DIMENSIONS,
                "url": os.environ["OPENAI_BASE_URL"],
                "chunk": driver.CHUNK_CHARS,
                "overlap": driver.OVERLAP_CHARS,
                "batch": min(50, max(1, len(task.documents) // (2 * driver.IN_FLIGHT))),
                "concurrency": driver.IN_FLIGHT,
            },
        )
        conn.execute(INDEX)
    worker = Worker(task.database_url, once=True)

    async def ingest() -> None:
        if error := await worker.run():
            with psycopg.connect(task.database_url) as conn:
                reason = conn.execute("SELECT details FROM ai.vectorizer_errors LIMIT 1").fetchone()
            raise RuntimeError(f"Error: {reason}") from error

    yield ingest


if __name__ == "__main__":
    driver.drive(prepared, TABLE)
