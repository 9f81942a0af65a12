"""A transaction of the tenant that asks; every view that looks at its data works in one."""

from collections.abc import Generator
from contextlib import contextmanager

from api.auth import principal
from api.process import runtime
from dbrag.database.pool import Connection
from dbrag.database.tenant import as_tenant


@contextmanager
def transaction() -> Generator[Connection]:
    """A connection that sees the tenant's rows and no others; it commits at the end, or rolls back on an error."""
    with as_tenant(runtime().pool, principal().tenant_id) as conn:
        yield conn
