"""A transaction of the tenant that asks; every view that looks at its data works in one."""

from collections.abc import Generator
from contextlib import contextmanager

from api.process import runtime
from dbrag.database.pool import Connection


@contextmanager
def transaction() -> Generator[Connection]:
    """A connection whose transaction commits at the end, or rolls back on an error."""
    with runtime().pool.connection() as conn:
        yield conn
