"""Catalog entries: tables of a job that wait to be described, what is written of them, and what their owner sees."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from dbrag.catalog.model import Connection, Described, DescribedBy, Description, Entry, Fallback, Row, Table, overridden
from dbrag.database import pool
from dbrag.database.queries import beside
from dbrag.database.tenant import as_tenant
from dbrag.documents.prepare import Source
from dbrag.errors import NotFound
from dbrag.jobs.model import Claim
from dbrag.runtime import Runtime

SQL = beside(__file__)
_TABLE, _DESCRIPTION, _FALLBACK = TypeAdapter(Table), TypeAdapter(Description), TypeAdapter(Fallback)


class Work(NamedTuple):
    """A table of a job that is to be described: its version, without a text so far, and its oid."""

    source: Source
    oid: int


@dataclass(frozen=True, slots=True)
class Earlier:
    """How a table is described now, and what it looked like then."""

    fingerprint: bytes
    described: Described
    samples: list[Row]

    def stands_for(self, fingerprint: bytes) -> bool:
        """Whether it is good enough for the table as it is now."""
        makeshift = self.described.fallback is not None and self.described.fallback.passing
        return self.fingerprint == fingerprint and not makeshift


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that goes live with its version; `described` without the user's own words, which are `override`."""

    version_id: int
    table: Table
    fingerprint: bytes
    samples: list[Row]
    described: Described
    override: dict[str, Any] | None

    @property
    def description(self) -> Description:
        """As users see it."""
        return overridden(self.described.description, self.override)


def next_tables(conn: pool.Connection, claim: Claim, limit: int) -> list[Work]:
    """Tables of the job that nobody has described yet, first those that were tried least."""
    rows = conn.execute(SQL.next_tables, {"job_id": claim.id, "limit": limit})
    return [
        Work(Source(version_id, document_id, index, None, None, None, None, None, tries), oid)
        for version_id, document_id, index, oid, tries in rows
    ]


def earlier(conn: pool.Connection, document_ids: Sequence[int]) -> dict[int, Earlier]:
    """What is live of these documents, by document."""
    rows = conn.execute(SQL.earlier_descriptions, {"document_ids": list(document_ids)})
    return {
        document_id: Earlier(
            bytes(fingerprint),
            Described(_DESCRIPTION.validate_python(description), DescribedBy(by), fallback and Fallback(**fallback)),
            samples,
        )
        for document_id, fingerprint, description, by, fallback, samples in rows
    }


def insert(conn: pool.Connection, connection: Connection, drafts: Sequence[Draft]) -> None:
    """Under the documents' locks: an entry refers to its version."""
    with conn.cursor() as cursor:
        cursor.executemany(SQL.insert_entry, [_row(connection, draft) for draft in drafts])


def get(runtime: Runtime, connection: Connection, full_name: str) -> Entry:
    """One table by `schema.table`. Raises: NotFound."""
    with as_tenant(runtime.pool, connection.tenant_id) as conn:
        row = conn.execute(SQL.find_entry, {"connection_id": connection.id, "full_name": full_name}).fetchone()
    if row and runtime.entries and (kept := runtime.entries.get(connection.id, full_name, row[0])):
        return kept
    with as_tenant(runtime.pool, connection.tenant_id) as conn:
        found = of_versions(conn, [row[0]])[:1] if row else []
    if not found:
        raise NotFound(f"the catalog has no table {full_name!r} of the connection {connection.name!r}")
    if runtime.entries:
        runtime.entries.put(found[0])
    return found[0]


def of_versions(conn: pool.Connection, version_ids: Sequence[int]) -> list[Entry]:
    """The entries that hang on these versions, as far as they are live."""
    with conn.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(SQL.entries_of_versions, {"version_ids": list(version_ids)}).fetchall()


def page(
    conn: pool.Connection, connection: Connection, *, schema: str | None, after: str | None, limit: int
) -> list[Entry]:
    """Tables whose full name sorts behind `after`, by full name."""
    wanted = {"connection_id": connection.id, "schema": schema, "after": after, "limit": limit}
    with conn.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(SQL.select_entries, wanted).fetchall()


def counts(conn: pool.Connection, connections: Sequence[Connection]) -> Counter[int]:
    """How many tables of each of these connections are described, by its id."""
    ids = [connection.id for connection in connections]
    return Counter(dict(conn.execute(SQL.count_entries, {"connection_ids": ids}).fetchall()))


def _row(connection: Connection, draft: Draft) -> dict[str, UUID | int | str | bytes | Jsonb | None]:
    described = draft.described
    return {
        "version_id": draft.version_id,
        "tenant_id": connection.tenant_id,
        "connection_id": connection.id,
        "table_oid": draft.table.oid,
        "schema": draft.table.schema,
        "table": draft.table.name,
        "fingerprint": draft.fingerprint,
        "structure": Jsonb(_TABLE.dump_python(draft.table, mode="json")),
        "samples": Jsonb(draft.samples),
        "description": Jsonb(_DESCRIPTION.dump_python(described.description)),
        "described_by": described.by.value,
        "fallback": Jsonb(_FALLBACK.dump_python(described.fallback)) if described.fallback else None,
        "override": Jsonb(draft.override) if draft.override else None,
    }
