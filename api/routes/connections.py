"""Connections: registered databases, put, get, list, delete; and the update of what the catalog has of one."""

from collections import Counter

from flask import Response

from api import catalog_render, lookup
from api.accepting import admit, once
from api.answers import answer, page
from api.auth import needs
from api.catalog_inputs import ConnectionInput, ConnectionPath, ConnectionsQuery, NewConnectionPath, UpdateCatalogInput
from api.catalog_outputs import ConnectionOutput
from api.inputs import JobHeaders
from api.openapi import TOO_MUCH_WAITING, blueprint
from api.outputs import JobOutput, Page
from api.process import here
from api.transaction import transaction
from dbrag.accounts.model import Scope
from dbrag.catalog import connections, entries, requests
from dbrag.catalog.model import Connection
from dbrag.database import pool
from dbrag.errors import NotAvailable
from dbrag.jobs.model import Job

bp = blueprint("connections", "Databases whose tables the catalog describes.")


@bp.put("/connections/<name>", responses={200: ConnectionOutput, 201: ConnectionOutput})
@needs(Scope.MANAGE)
def put_connection(path: NewConnectionPath, body: ConnectionInput) -> Response:
    """Register a PostgreSQL database (201), or replace what is known of it (200); its DSN is never shown again.

    Nothing is connected to yet: `catalog:update` does that.
    """
    if here().settings.encryption_keys is None:
        raise NotAvailable(
            "connections are off here, since there is no key to encrypt their DSNs with: the operator can set "
            "DBRAG_ENCRYPTION_KEYS (`dbrag catalog new-key` makes one)"
        )
    with transaction() as conn:
        put = connections.put(
            conn,
            lookup.tenant_id(),
            path.name,
            body.dsn,
            here().settings,
            masked=body.masking.policy(),
            sample_rows=body.sample_rows,
            update_every_s=body.update_every_s,
        )
        tables = entries.counts(conn, [put.connection])
    return answer(_shown(put.connection, tables), status=201 if put.created else 200)


@bp.get("/connections/<name>", responses={200: ConnectionOutput})
@needs(Scope.READ)
def get_connection(path: ConnectionPath) -> Response:
    """One connection, without its DSN."""
    with transaction() as conn:
        connection = lookup.connection(conn, path.name)
        tables = entries.counts(conn, [connection])
    return answer(_shown(connection, tables))


@bp.get("/connections", responses={200: Page[ConnectionOutput]})
@needs(Scope.READ)
def list_connections(query: ConnectionsQuery) -> Response:
    """All connections, by name."""
    with transaction() as conn:
        found = connections.page(conn, lookup.tenant_id(), query.cursor, query.limit + 1)
        tables = entries.counts(conn, found)
    return page(found, query.limit, lambda last: last.name, lambda one: _shown(one, tables))


@bp.delete("/connections/<name>", responses={204: None})
@needs(Scope.MANAGE)
def delete_connection(path: ConnectionPath) -> Response:
    """Delete a connection with all that the catalog has of it. The database itself is left alone."""
    with transaction() as conn:
        connections.delete(conn, lookup.tenant_id(), lookup.connection(conn, path.name).name)
    return Response(status=204)


@bp.post("/connections/<string:name>/catalog:update", responses={202: JobOutput, **TOO_MUCH_WAITING})
@needs(Scope.INGEST)
def update_catalog(path: ConnectionPath, header: JobHeaders, body: UpdateCatalogInput) -> Response:
    """Look at the database and describe what is new or has changed: all of it, a schema, or one table.

    Each table is an item of the job. Tables that are gone leave the catalog.
    """
    admit()

    def make(conn: pool.Connection) -> Job:
        connection, scope = lookup.connection(conn, path.name), {"schema": body.schema_, "table": body.table}
        return requests.request_update(conn, connection, body.queue, here().settings, **scope, force=body.force)

    return once(header, make)


def _shown(connection: Connection, tables: Counter[int]) -> ConnectionOutput:
    return catalog_render.connection(
        connection, connections.address(connection, here().settings), tables[connection.id]
    )
