"""Transactions that see the rows of one tenant alone, whatever their queries say: row-level security.

Both settings end with the transaction: a connection goes back to its pool without a tenant.
"""

from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

from psycopg.pq import TransactionStatus

from dbrag.database.pool import Connection, Pool
from dbrag.database.queries import beside

SQL = beside(__file__)


@contextmanager
def as_tenant(pool: Pool, tenant_id: UUID) -> Generator[Connection]:
    """A connection whose transaction commits at the end, or rolls back on an error."""
    with pool.connection() as conn:
        conn.execute(SQL.become_tenant, {"tenant_id": tenant_id})
        yield conn


@contextmanager
def across_tenants(conn: Connection) -> Generator[None]:
    """For the few queries about what a tenant shares with others, such as its place in a queue."""
    row = conn.execute(SQL.become_owner).fetchone()
    assert row is not None
    try:
        yield
    finally:
        # A transaction that has failed is rolled back, and this with it.
        if conn.info.transaction_status is TransactionStatus.INTRANS:
            conn.execute(SQL.become, {"role": row[0]})
