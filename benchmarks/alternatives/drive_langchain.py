"""langchain-postgres: PGVectorStore, RecursiveCharacterTextSplitter, OpenAIEmbeddings.

Its store embeds a call's documents with one request and then inserts and commits them one by one on one connection, so
eight calls of 100 chunks run side by side. Counting tokens before each request is off: it needs a download.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from langchain_core.documents import Document
from langchain_openai import OpenAIEmbeddings
from langchain_postgres import PGEngine, PGVectorStore
from langchain_postgres.v2.indexes import HNSWIndex
from langchain_text_splitters import RecursiveCharacterTextSplitter

from benchmarks.alternatives import driver

TABLE = "langchain_chunks"
CHUNKS_A_CALL = 100


@asynccontextmanager
async def prepared(task: driver.Task) -> AsyncIterator[driver.Ingest]:
    """The table with its index."""
    url = task.database_url.replace("postgresql://", "postgresql+psycopg://")
    engine = PGEngine.from_connection_string(url, pool_size=driver.IN_FLIGHT)
    await engine.ainit_vectorstore_table(TABLE, driver.DIMENSIONS)
    embeddings = OpenAIEmbeddings(model=driver.MODEL, check_embedding_ctx_length=False)
    store = await PGVectorStore.create(engine, embeddings, TABLE)
    await store.aapply_vector_index(HNSWIndex(m=driver.M, ef_construction=driver.EF_CONSTRUCTION))
    splitter = RecursiveCharacterTextSplitter(chunk_size=driver.CHUNK_CHARS, chunk_overlap=driver.OVERLAP_CHARS)
    documents = [Document(d["text"], metadata={"external_id": d["external_id"]}) for d in task.documents]

    async def ingest() -> None:
        await driver.at_once(store.aadd_documents, splitter.split_documents(documents), CHUNKS_A_CALL)

    yield ingest
    await engine.close()


if __name__ == "__main__":
    driver.drive(prepared, TABLE)
