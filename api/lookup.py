"""From what an address names to the thing of the asking tenant."""

import re
from uuid import UUID

from api.auth import principal
from api.inputs import JobsQuery, RetryInput
from dbrag.catalog import connections
from dbrag.catalog.model import Connection as DatabaseConnection
from dbrag.database.pool import Connection
from dbrag.documents import collections
from dbrag.documents.model import Collection
from dbrag.errors import NotFound
from dbrag.jobs.model import Filters

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def tenant_id() -> UUID:
    """The tenant that asks."""
    return principal().tenant_id


def collection(conn: Connection, name: str) -> Collection:
    """The tenant's collection of this name. Raises: NotFound, also for what can be no name at all."""
    if not _NAME.fullmatch(name):
        raise NotFound("no collection can have this name: a name is 1-63 of a-z, 0-9, _ and -")
    return collections.get(conn, tenant_id(), name)


def connection(conn: Connection, name: str) -> DatabaseConnection:
    """The tenant's connection of this name. Raises: NotFound, also for what can be no name at all."""
    if not _NAME.fullmatch(name):
        raise NotFound("no connection can have this name: a name is 1-63 of a-z, 0-9, _ and -")
    return connections.get(conn, tenant_id(), name)


def filters(conn: Connection, sent: JobsQuery | RetryInput) -> Filters:
    """Which jobs are meant. Raises: NotFound where the collection is not there."""
    collection_id = collection(conn, sent.collection).id if sent.collection is not None else None
    return Filters(sent.status, sent.kind, sent.queue, collection_id, sent.code, sent.since, sent.until)


def external_id(text: str) -> str:
    """The same name, if a document can have it. Raises: NotFound."""
    if "\0" in text:
        raise NotFound("no document can have this external_id")
    return text
