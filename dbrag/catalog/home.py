"""Where a tenant's catalog lies: a collection of its own, which only the catalog reads and writes."""

from uuid import UUID

from dbrag.database.pool import Connection
from dbrag.documents import collections
from dbrag.documents.model import Collection, CollectionWish
from dbrag.errors import NotFound
from dbrag.settings import Settings

# No user's collection can have this name, and nobody is shown it.
NAME = ".catalog"


def find(conn: Connection, tenant_id: UUID) -> Collection | None:
    """None before the tenant's first update."""
    try:
        return collections.get(conn, tenant_id, NAME)
    except NotFound:
        return None


def make(conn: Connection, tenant_id: UUID, settings: Settings) -> Collection:
    """The collection, made with the default model if need be; later it keeps what it has."""
    return find(conn, tenant_id) or collections.put(conn, tenant_id, NAME, CollectionWish(), settings).collection
