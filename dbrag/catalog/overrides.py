"""What users say of tables in their own words: it outlives updates, and follows a table that is renamed or remade."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from dbrag.catalog.model import Connection, Entry
from dbrag.database import pool
from dbrag.database.queries import beside

SQL = beside(__file__)


class Override(NamedTuple):
    """Fields of a description, of the table that had this oid and name when it was last seen."""

    oid: int
    schema: str
    name: str
    description: dict[str, Any]


def put(conn: pool.Connection, entry: Entry, description: Mapping[str, Any]) -> None:
    """Replaces what was said of a table; it shows with the next update."""
    table = {
        "connection_id": entry.connection_id,
        "schema": entry.table.schema,
        "table": entry.table.name,
        "table_oid": entry.table.oid,
    }
    conn.execute(SQL.forget_namesakes, table)
    conn.execute(SQL.put_override, table | {"description": Jsonb(description)})


def clear(conn: pool.Connection, entry: Entry) -> bool:
    """Takes it back; says whether there was any."""
    override = {"connection_id": entry.connection_id, "table_oid": entry.table.oid}
    return conn.execute(SQL.delete_override, override).rowcount == 1


def of(conn: pool.Connection, connection: Connection) -> dict[int, dict[str, Any]]:
    """What is said of the tables of a connection, by oid."""
    return {one.oid: one.description for one in _standing(conn, connection)}


def follow(conn: pool.Connection, connection: Connection, listed: Mapping[int, tuple[str, str]]) -> None:
    """Has them follow their tables; `listed` are those that there are now: (schema, name) by oid."""
    standing = _standing(conn, connection)
    new_oids = remade(standing, listed)
    for one in standing:
        oid = new_oids.get(one.oid, one.oid)
        schema, name = listed.get(oid, (one.schema, one.name))
        if (oid, schema, name) != one[:3]:
            moved = {"table_oid": oid, "schema": schema, "table": name}
            conn.execute(SQL.move_override, {"connection_id": connection.id, "old_oid": one.oid} | moved)


def remade(standing: Sequence[Override], listed: Mapping[int, tuple[str, str]]) -> dict[int, int]:
    """Old and new oids of tables that are gone where another one bears the name, of which nobody says anything."""
    by_name = {name: oid for oid, name in listed.items()}
    spoken_of = {override.oid for override in standing}
    new_oids = {one.oid: by_name.get((one.schema, one.name)) for one in standing if one.oid not in listed}
    # One each: of several that were made anew under the same name, the last that was spoken of.
    old_oids = {new: old for old, new in new_oids.items() if new is not None and new not in spoken_of}
    return {old: new for new, old in old_oids.items()}


def _standing(conn: pool.Connection, connection: Connection) -> list[Override]:
    return [Override._make(row) for row in conn.execute(SQL.overrides, {"connection_id": connection.id})]
