"""Pooled connections on which each statement is a transaction."""

from collections.abc import Iterator

import psycopg
import pytest

from dbrag.database.pool import Pool, open_pool, statements
from dbrag.settings import Settings


@pytest.fixture
def pool(settings: Settings) -> Iterator[Pool]:
    """With one connection, which everybody gets."""
    with open_pool(settings, 1) as pool:
        yield pool


def test_each_statement_stands_by_itself(pool: Pool) -> None:
    with statements(pool) as conn:
        first, second = (conn.execute("SELECT pg_current_xact_id()").fetchone() for _ in range(2))
    assert first != second


def test_whoever_gets_the_connection_next_has_a_transaction(pool: Pool) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable), statements(pool) as conn:
        conn.execute("SELECT FROM nothing")
    with pool.connection() as again:
        assert again is conn
        first, second = (again.execute("SELECT pg_current_xact_id()").fetchone() for _ in range(2))
    assert first == second


def test_a_connection_that_breaks_says_so_and_another_takes_its_place(pool: Pool) -> None:
    with pytest.raises(psycopg.OperationalError), statements(pool) as conn:
        conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    with statements(pool) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)
