"""llama-index: PGVectorStore (halfvec), SentenceSplitter, OpenAIEmbedding in an IngestionPipeline.

A pipeline embeds everything before it stores anything, so eight pipelines of 100 nodes run side by side; each stores
its nodes in one transaction. Tokens are estimated, as counting them exactly only costs it time.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import BaseNode, Document
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.vector_stores.postgres import PGVectorStore

from benchmarks.alternatives import driver

NAME = "llama_chunks"
NODES_A_PIPELINE = 100


@asynccontextmanager
async def prepared(task: driver.Task) -> AsyncIterator[driver.Ingest]:
    """The table with its index."""
    store = PGVectorStore.from_params(
        connection_string=task.database_url.replace("postgresql://", "postgresql+psycopg2://"),
        async_connection_string=task.database_url.replace("postgresql://", "postgresql+asyncpg://"),
        table_name=NAME,
        embed_dim=driver.DIMENSIONS,
        use_halfvec=True,
        hnsw_kwargs={
            "hnsw_m": driver.M,
            "hnsw_ef_construction": driver.EF_CONSTRUCTION,
            "hnsw_dist_method": "halfvec_cosine_ops",
        },
        create_engine_kwargs={"pool_size": driver.IN_FLIGHT},
    )
    await store.async_add([])  # makes the table and the index
    splitter = SentenceSplitter(chunk_size=400, chunk_overlap=40, tokenizer=_estimated)
    provider = os.environ["OPENAI_BASE_URL"]
    embedding = OpenAIEmbedding(model=driver.MODEL, embed_batch_size=NODES_A_PIPELINE, api_base=provider)
    documents = [Document(text=d["text"], id_=d["external_id"]) for d in task.documents]

    async def add(nodes: list[BaseNode]) -> None:
        await IngestionPipeline(transformations=[embedding], vector_store=store, disable_cache=True).arun(nodes=nodes)

    async def ingest() -> None:
        await driver.at_once(add, splitter(documents), NODES_A_PIPELINE)

    yield ingest
    await store.close()


def _estimated(text: str) -> range:
    """Something as long as the text is in tokens."""
    return range(len(text) * 400 // driver.CHUNK_CHARS)


if __name__ == "__main__":
    driver.drive(prepared, f"data_{NAME}")
