"""The first step of an update: which tables there are, which of them to describe (anew), and which are gone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from dbrag.catalog.model import Connection, Table
from dbrag.database import pool
from dbrag.database.queries import beside
from dbrag.documents import accept, documents
from dbrag.documents.model import Collection, Submission
from dbrag.errors import Permanent, Transient
from dbrag.jobs import claims, settle
from dbrag.jobs.claims import ClaimLost
from dbrag.jobs.model import Claim, ItemStatus

SQL = beside(__file__)

Listed = Mapping[int, tuple[str, str]]
"""The tables that a database has: (schema, name) by oid."""


class Known(NamedTuple):
    """What the catalog has of a table; `ask_again`: its description is a makeshift, for a passing reason."""

    oid: int
    fingerprint: bytes
    row_estimate: int | None
    ask_again: bool
    override: dict[str, Any] | None


class Found(NamedTuple):
    """A table as it is now."""

    table: Table
    fingerprint: bytes


@dataclass(slots=True)
class Plan:
    """`due` are to be described, `unchanged` stay; of these, `counted` have other statistics than before."""

    due: list[Table] = field(default_factory=list[Table])
    unchanged: list[Table] = field(default_factory=list[Table])
    counted: list[Table] = field(default_factory=list[Table])


def in_scope(listed: Listed, schema: str | None, table: str | None) -> list[int]:
    """The oids of all tables, of those of a schema, or of the one table. Raises: Permanent where there is none."""
    wanted = [
        oid
        for oid, (its_schema, its_name) in listed.items()
        if schema in (None, its_schema) and table in (None, its_name)
    ]
    if not wanted and (schema or table):
        sought = ".".join(part for part in (schema, table) if part)
        raise Permanent(
            f"there is no {sought!r}, or its role may not see it: GRANT USAGE ON SCHEMA lets it", code="table_not_found"
        )
    return wanted


def decide(
    found: Sequence[Found], known: Mapping[int, Known], overrides: Mapping[int, dict[str, Any]], *, force: bool
) -> Plan:
    """A table is described when it is new, has changed, or its user's words have; or if that was not done well."""
    plan = Plan()
    for table, fingerprint in found:
        before = known.get(table.oid)
        now = fingerprint, overrides.get(table.oid), False
        if force or before is None or (before.fingerprint, before.override, before.ask_again) != now:
            plan.due.append(table)
        else:
            plan.unchanged.append(table)
            if before.row_estimate != table.row_estimate:
                plan.counted.append(table)
    return plan


def known_tables(conn: pool.Connection, connection: Connection) -> dict[int, Known]:
    """What the catalog has of a connection, by oid."""
    rows = conn.execute(SQL.known_tables, {"connection_id": connection.id})
    return {row[0]: Known(row[0], bytes(row[1]), *row[2:]) for row in rows}


def drop_gone(
    conn: pool.Connection, claim: Claim, connection: Connection, collection: Collection, listed: Listed
) -> int:
    """Removes from the catalog what the database has no more; returns how many tables.

    Raises: ClaimLost, or Transient where the connection leads elsewhere by now; the transaction must be rolled back.
    """
    wanted = {"collection_id": collection.id, "connection_id": connection.id, "limit": None}
    there = [row[0] for row in conn.execute(SQL.documents_of_connection, wanted)]
    remain = {external_id(connection, oid) for oid in listed}
    _check(conn, claim, connection)
    return documents.remove(conn, collection, [name for name in there if name not in remain])


def write(
    conn: pool.Connection, claim: Claim, connection: Connection, collection: Collection, plan: Plan, dropped: int
) -> None:
    """Puts the tables in the job as its items; what is due gets a version that waits for its description.

    Raises: as `drop_gone`.
    """
    submissions = [
        Submission(external_id(connection, table.oid), title=table.full_name, metadata=metadata(connection, table))
        for table in plan.due
    ]
    if submissions:
        found = accept.next_versions(conn, collection, [one.external_id for one in submissions])
        accept.insert_versions(conn, collection, claim.id, list(enumerate(submissions)), claim.kind, found)
    settle.lock(conn, [claim.id])
    claims.hold_on(conn, claim.id, claim.claim_id)
    _check(conn, claim, connection)
    _replace_items(conn, claim, plan)
    result = Jsonb({"unchanged": len(plan.unchanged), "dropped": dropped})
    counts = {"total": len(plan.due) + len(plan.unchanged), "unchanged": len(plan.unchanged)}
    conn.execute(SQL.count_tables, {"id": claim.id, "result": result} | counts)
    rows = {"oids": [table.oid for table in plan.counted], "rows": [table.row_estimate for table in plan.counted]}
    conn.execute(SQL.count_rows, {"connection_id": connection.id} | rows)
    settle.finish(conn, [claim.id])


def external_id(connection: Connection, oid: int) -> str:
    """Of the document that a table is in the catalog's collection: it stays when the table is renamed."""
    return f"{connection.id}/{oid}"


def metadata(connection: Connection, table: Table) -> dict[str, Any]:
    """What searches of the catalog filter by."""
    return {
        "connection": connection.name,
        "connection_id": connection.id,
        "schema": table.schema,
        "table": table.name,
    }


def _check(conn: pool.Connection, claim: Claim, connection: Connection) -> None:
    """Looks, without a lock, whether the claim stands, and whether it was this database that was read."""
    stands = {"job_id": claim.id, "claim_id": claim.claim_id, "id": connection.id, "dsn": connection.dsn}
    claimed, same = conn.execute(SQL.what_stands, stands).fetchone() or (False, False)
    if not claimed:
        raise ClaimLost(claim.id)
    if not same:
        raise Transient("the connection was changed meanwhile: its update begins again", code="connection_changed")


def _replace_items(conn: pool.Connection, claim: Claim, plan: Plan) -> None:
    """In the place of the one item that the job was accepted with, or of those of an earlier plan."""
    tables = [*plan.due, *plan.unchanged]
    statuses = [ItemStatus.QUEUED] * len(plan.due) + [ItemStatus.COMPLETED] * len(plan.unchanged)
    conn.execute(SQL.delete_items, {"job_id": claim.id})
    conn.execute(
        SQL.insert_tables,
        {
            "job_id": claim.id,
            "tenant_id": claim.tenant_id,
            "indexes": list(range(len(tables))),
            "names": [table.full_name for table in tables],
            "statuses": [status.value for status in statuses],
        },
    )
