"""The tables that the catalog describes: list, get, and their owner's own words for them."""

from flask import Response

from api import catalog_render, lookup
from api.accepting import admit, once
from api.answers import answer, page
from api.auth import needs
from api.catalog_inputs import ConnectionPath, DescriptionInput, TablePath, TablesQuery
from api.catalog_outputs import TableOutput, TableSummaryOutput
from api.inputs import JobHeaders
from api.openapi import TOO_MUCH_WAITING, blueprint
from api.outputs import JobOutput, Page
from api.process import here, runtime
from api.transaction import transaction
from dbrag.accounts.model import Scope
from dbrag.catalog import entries, overrides, requests
from dbrag.catalog.model import Connection, Entry
from dbrag.database import pool
from dbrag.errors import NotFound
from dbrag.jobs.model import Job, Queue

bp = blueprint("tables", "What the catalog knows of each table.")


@bp.get("/connections/<name>/tables", responses={200: Page[TableSummaryOutput]})
@needs(Scope.READ)
def list_tables(path: ConnectionPath, query: TablesQuery) -> Response:
    """Described tables by name; of one schema, or of all."""
    with transaction() as conn:
        connection = lookup.connection(conn, path.name)
        found = entries.page(conn, connection, schema=query.schema_, after=query.cursor, limit=query.limit + 1)
    return page(found, query.limit, lambda last: last.table.full_name, catalog_render.table_summary)


@bp.get("/connections/<name>/tables/<external_id:table>", responses={200: TableOutput})
@needs(Scope.READ)
def get_table(path: TablePath) -> Response:
    """One table, by `schema.table`: columns, keys, samples (masked) and description."""
    return answer(catalog_render.table(_entry(path)[1]))


@bp.put("/connections/<name>/descriptions/<external_id:table>", responses={202: JobOutput, **TOO_MUCH_WAITING})
@needs(Scope.INGEST)
def put_description(path: TablePath, header: JobHeaders, body: DescriptionInput) -> Response:
    """Say it in your own words: what is given replaces that part of the description, until it is cleared.

    It survives updates, and a rename of the table. A job embeds the new words.
    """
    admit()
    connection, entry = _entry(path)

    def make(conn: pool.Connection) -> Job:
        overrides.put(conn, entry, body.model_dump(exclude_none=True))
        return _update(conn, connection, entry)

    return once(header, make)


@bp.delete("/connections/<name>/descriptions/<external_id:table>", responses={202: JobOutput, **TOO_MUCH_WAITING})
@needs(Scope.INGEST)
def clear_description(path: TablePath, header: JobHeaders) -> Response:
    """Take your own words back; a job puts dbrag's in their place."""
    admit()
    connection, entry = _entry(path)

    def make(conn: pool.Connection) -> Job:
        if not overrides.clear(conn, entry):
            raise NotFound(f"nobody has described {path.table!r} in words of their own")
        return _update(conn, connection, entry)

    return once(header, make)


def _entry(path: TablePath) -> tuple[Connection, Entry]:
    with transaction() as conn:
        connection = lookup.connection(conn, path.name)
    return connection, entries.get(runtime(), connection, lookup.external_id(path.table))


def _update(conn: pool.Connection, connection: Connection, entry: Entry) -> Job:
    schema, table = entry.table.schema, entry.table.name
    return requests.request_update(conn, connection, Queue.DEFAULT, here().settings, schema=schema, table=table)
