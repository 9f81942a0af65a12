"""cocoindex: RecursiveSplitter, a batched embedding function over the openai client, its PostgreSQL target (halfvec).

A component a document, as in its examples; its engine gathers the texts of all of them into requests and the rows into
statements. Its own LiteLLM embedder sends at most 64 texts a request and decodes floats out of JSON; this one does not.
Its default of 1,024 components at once is the fastest here: with 256 it took 1.5 times as long, with 64 2.3 times.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import asyncpg
import cocoindex as coco
import numpy as np
from cocoindex.connectors import postgres
from cocoindex.ops.text import RecursiveSplitter
from cocoindex.resources.chunk import Chunk
from cocoindex.resources.schema import VectorSchema
from numpy.typing import NDArray
from openai import AsyncOpenAI

from benchmarks.alternatives import driver

TABLE = "coco_chunks"
TEXTS_A_REQUEST = 100
DATABASE = coco.ContextKey[asyncpg.Pool]("database")

client = AsyncOpenAI(api_key=os.environ["OPENAI_API_KEY"], base_url=os.environ["OPENAI_BASE_URL"])
splitter = RecursiveSplitter()


@dataclass
class Row:
    """One chunk as it is stored."""

    external_id: str
    start: int
    text: str
    embedding: Annotated[NDArray[np.float16], VectorSchema(dtype=np.dtype(np.float16), size=driver.DIMENSIONS)]


@coco.fn.as_async(batching=True, max_batch_size=TEXTS_A_REQUEST)
async def embedded(texts: list[str]) -> list[NDArray[np.float16]]:
    """The vectors of one request."""
    answer = await client.embeddings.create(model=driver.MODEL, input=texts)
    return [np.asarray(item.embedding, np.float16) for item in answer.data]


@coco.fn
async def add_chunk(chunk: Chunk, external_id: str, table: postgres.TableTarget[Row]) -> None:
    """One row."""
    table.declare_row(row=Row(external_id, chunk.start.char_offset, chunk.text, await embedded(chunk.text)))


@coco.fn(memo=True)
async def add_document(document: dict[str, str], table: postgres.TableTarget[Row]) -> None:
    """All rows of a document."""
    chunks = splitter.split(document["text"], chunk_size=driver.CHUNK_CHARS, chunk_overlap=driver.OVERLAP_CHARS)
    await coco.map(add_chunk, chunks, document["external_id"], table)


@coco.fn
async def main(documents: list[dict[str, str]]) -> None:
    """The table with its index, and all documents."""
    schema = await postgres.TableSchema.from_class(Row, primary_key=["external_id", "start"])
    table = await postgres.mount_table_target(DATABASE, TABLE, schema)
    table.declare_vector_index(
        column="embedding", metric="cosine", method="hnsw", m=driver.M, ef_construction=driver.EF_CONSTRUCTION
    )
    await coco.mount_each(add_document, [(d["external_id"], d) for d in documents], table)


@asynccontextmanager
async def prepared(task: driver.Task) -> AsyncIterator[driver.Ingest]:
    """The pool, cocoindex's own database, and the table with its index."""
    async with asyncpg.create_pool(task.database_url, min_size=driver.IN_FLIGHT, max_size=driver.IN_FLIGHT) as pool:
        provider = coco.ContextProvider()
        provider.provide(DATABASE, pool)
        environment = coco.Environment(coco.Settings(db_path=task.folder / "cocoindex"), context_provider=provider)
        documents: list[dict[str, str]] = []
        app = coco.App(coco.AppConfig(name="benchmark", environment=environment), main, documents)
        await app.update()  # without documents: makes the table and the index

        async def ingest() -> None:
            documents.extend(task.documents)
            await app.update()

        yield ingest


if __name__ == "__main__":
    driver.drive(prepared, TABLE)
