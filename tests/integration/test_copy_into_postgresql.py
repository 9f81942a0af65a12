"""PostgreSQL with pgvector reads the rows that numpy laid out."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from pgvector import HalfVector, Vector
from pgvector.psycopg import register_vector
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from dbrag.devstack.servers import Servers
from dbrag.vectors.copy_format import COLUMNS, halfvec_rows, vector_rows

IDS = np.array([1, 2**33, -5], np.int64)
VECTORS = np.random.default_rng(7).standard_normal((3, 1536), np.float32)


@pytest.fixture(scope="module")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    elsewhere = {"CELERY_BROKER_URL": "not needed", "CACHE_URL": "not needed"}
    with Servers.start(tmp_path_factory.mktemp("database"), elsewhere) as servers:
        yield servers.env["DATABASE_URL"]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(connection)
        yield connection


@pytest.mark.parametrize(
    ("storage", "rows", "python_type", "element"),
    [("halfvec", halfvec_rows, HalfVector, np.float16), ("vector", vector_rows, Vector, np.float32)],
)
@pytest.mark.parametrize("given", [np.float16, np.float32])
def test_a_copy_is_read_back_equal(
    connection: Connection[Any],
    storage: str,
    rows: Callable[[int, NDArray[np.int64], NDArray[Any]], bytes],
    python_type: type[HalfVector | Vector],
    element: type[np.floating[Any]],
    given: type[np.floating[Any]],
) -> None:
    vectors = VECTORS.astype(given)
    connection.execute(
        SQL("CREATE TEMP TABLE part (segment_id int4, chunk_id int8, embedding {}(1536))").format(Identifier(storage))
    )
    columns = SQL(", ").join(map(Identifier, COLUMNS))
    with connection.cursor().copy(SQL("COPY part ({}) FROM STDIN (FORMAT binary)").format(columns)) as copy:
        copy.write(rows(12, IDS, vectors))
    for (segment_id, chunk_id, embedding), id_, vector in zip(
        connection.execute("SELECT segment_id, chunk_id, embedding FROM part").fetchall(), IDS, vectors, strict=True
    ):
        assert (segment_id, chunk_id) == (12, id_)
        assert isinstance(embedding, python_type)
        assert embedding.to_numpy().tolist() == vector.astype(element).tolist()
    connection.rollback()
