"""Which tables answer a question: found by meaning and words, with the columns that speak of it and the joins."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

from pydantic.dataclasses import dataclass

from dbrag.catalog import connections, entries, home
from dbrag.catalog.joins import Name, Reference, Step, paths
from dbrag.catalog.model import Column, Entry
from dbrag.catalog.names import spoken
from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.database.tenant import as_tenant
from dbrag.documents.model import NO_LANGUAGE, Collection
from dbrag.runtime import Runtime
from dbrag.vectors.model import Hit, Mode, Question
from dbrag.vectors.search import looked_up_again, search

SQL = beside(__file__, "search.sql")
Filter: TypeAlias = dict[str, int] | None
# Foreign keys are read of so many tables of the connections found; a larger database gets the joins of these.
MOST_REFERENCES = 5000
# Columns that are shown for a hit, and of which table as many are looked at.
MOST_COLUMNS, LOOKED_AT = 8, 200


@dataclass(frozen=True, slots=True)
class TableHit:
    """A table that was found; `columns` are those whose names or comments speak of the question."""

    entry: Entry
    score: float
    columns: list[Column]


@dataclass(frozen=True, slots=True)
class JoinPath:
    """How two of the tables found are joined."""

    connection: str
    steps: list[Step]


@dataclass(frozen=True, slots=True)
class CatalogAnswer:
    """Tables, best first, and how they are joined."""

    hits: list[TableHit]
    joins: list[JoinPath]


@looked_up_again
def search_catalog(
    runtime: Runtime, tenant_id: UUID, query: str, names: Sequence[str] | None, limit: int, mode: Mode = Mode.HYBRID
) -> CatalogAnswer:
    """The tables of these connections (None: of all) that answer a question best.

    Raises: NotFound for a connection that there is not; what `search` raises.
    """
    with as_tenant(runtime.pool, tenant_id) as conn:
        filters = in_question(conn, tenant_id, names)
        collection = home.find(conn, tenant_id)
    if collection is None:
        return CatalogAnswer([], [])
    hits = table_hits(runtime, collection, query, _rank(runtime, collection, query, filters, limit, mode))
    with as_tenant(runtime.pool, tenant_id) as conn:
        return CatalogAnswer(hits, _joins(conn, [hit.entry for hit in hits]))


def in_question(conn: Connection, tenant_id: UUID, names: Sequence[str] | None) -> list[Filter]:
    """What the catalog's texts are filtered by, one search each: the connections of these names, or None for all of it.

    Where there are still texts of a deleted connection, which would take others' places, each of the others is searched
    by itself. Raises: NotFound for a connection that there is not.
    """
    if names:
        ids = [connections.get(conn, tenant_id, name).id for name in dict.fromkeys(names)]
    else:
        rows = conn.execute(SQL.connections_of_tenant, {"tenant_id": tenant_id}).fetchall()
        if all(lives for _, lives in rows):
            return [None]
        ids = [connection_id for connection_id, lives in rows if lives]
    return [{"connection_id": connection_id} for connection_id in ids]


def table_hits(runtime: Runtime, collection: Collection, query: str, ranked: Sequence[Hit]) -> list[TableHit]:
    """The tables whose texts were found, in their order."""
    with as_tenant(runtime.pool, collection.tenant_id) as conn:
        found = _with_entries(conn, ranked)
        columns = _telling_columns(conn, collection, query, [entry for entry, _ in found])
    return [TableHit(entry, score, columns[entry.version_id]) for entry, score in found]


def _rank(
    runtime: Runtime, collection: Collection, query: str, filters: Sequence[Filter], limit: int, mode: Mode
) -> list[Hit]:
    """Texts of tables, best first; without full text by meaning alone."""
    if collection.language == NO_LANGUAGE:
        mode = Mode.VECTOR
    hits = [
        hit
        for filter_ in filters
        for hit in search(runtime, collection, Question(query, None, limit, filter_, mode)).hits
    ]
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk_id))[:limit]


def _with_entries(conn: Connection, ranked: Sequence[Hit]) -> list[tuple[Entry, float]]:
    """What was dropped, or described anew, since it was found is left out."""
    version_of = dict(conn.execute(SQL.versions_of_chunks, {"chunk_ids": [hit.chunk_id for hit in ranked]}).fetchall())
    entry_of = {entry.version_id: entry for entry in entries.of_versions(conn, list(version_of.values()))}
    found = [(entry_of.get(version_of.get(hit.chunk_id, 0)), hit.score) for hit in ranked]
    return [(entry, score) for entry, score in found if entry is not None]


def _telling_columns(
    conn: Connection, collection: Collection, query: str, found: Sequence[Entry]
) -> dict[int, list[Column]]:
    """By version: the columns that have a word of the question, in the table's order."""
    telling = defaultdict[int, list[Column]](list)
    if collection.language == NO_LANGUAGE:
        return telling
    places = [(entry, place, column) for entry in found for place, column in enumerate(entry.table.columns[:LOOKED_AT])]
    asked = {
        "version_ids": [entry.version_id for entry, _, _ in places],
        "places": [place for _, place, _ in places],
        "texts": [f"{column.name} {spoken(column.name)} {column.comment or ''}" for _, _, column in places],
        "language": collection.language,
        "query": query,
    }
    columns_of = {entry.version_id: entry.table.columns for entry in found}
    for version_id, place in conn.execute(SQL.telling_columns, asked).fetchall():
        columns = telling[version_id]
        if len(columns) < MOST_COLUMNS:
            columns.append(columns_of[version_id][int(place)])
    return telling


def _joins(conn: Connection, found: Sequence[Entry]) -> list[JoinPath]:
    wanted: defaultdict[int, list[Name]] = defaultdict(list)
    for entry in found:
        wanted[entry.connection_id].append((entry.table.schema, entry.table.name))
    references: defaultdict[int, list[Reference]] = defaultdict(list)
    for connection_id, schema, table, keys in conn.execute(
        SQL.references, {"connection_ids": list(wanted), "limit": MOST_REFERENCES}
    ):
        references[connection_id] += [
            Reference(
                key["name"],
                (schema, table),
                key["columns"],
                (key["target_schema"], key["target_table"]),
                key["target_columns"],
            )
            for key in keys
        ]
    name_of = {entry.connection_id: entry.connection for entry in found}
    return [
        JoinPath(name_of[connection_id], steps)
        for connection_id in wanted
        for steps in paths(wanted[connection_id], references[connection_id])
    ]
