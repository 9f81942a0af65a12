"""Generations: found by id or by their collection."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.errors import NotFound
from dbrag.vectors.model import Generation, GenerationStatus, Past, Target, Written

SQL = beside(__file__)


def of_collection(conn: Connection, collection_id: int) -> Generation:
    """The generation that serves a collection. Raises: NotFound."""
    with conn.cursor(row_factory=class_row(Generation)) as cursor:
        generation = cursor.execute(SQL.generation_of_collection, {"collection_id": collection_id}).fetchone()
    if generation is None:
        raise NotFound("the collection has been deleted")
    return generation


def insert(conn: Connection, tenant_id: UUID, collection_id: int, target: Target, status: GenerationStatus) -> int:
    """Makes a generation without a table, which the first write makes; returns its id."""
    row = conn.execute(
        SQL.insert_generation,
        {"tenant_id": tenant_id, "collection_id": collection_id, "status": status, **asdict(target)},
    ).fetchone()
    assert row is not None
    return row[0]


def all_of_collections(conn: Connection, collection_ids: Collection[int]) -> list[Generation]:
    """Every generation of these collections that may still be used, oldest first."""
    with conn.cursor(row_factory=class_row(Generation)) as cursor:
        return cursor.execute(SQL.generations_of_collections, {"collection_ids": list(collection_ids)}).fetchall()


def refuse(conn: Connection, generation_id: int, reason: dict[str, Any]) -> bool:
    """Remembers why a generation that is being built cannot be completed; its job ends it. False where it is not."""
    return conn.execute(SQL.refuse_generation, {"id": generation_id, "reason": Jsonb(reason)}).rowcount == 1


def written(conn: Connection, collection_id: int) -> list[Written]:
    """The generations that new chunks need a vector in: the serving one, then the one that is being built."""
    with conn.cursor(row_factory=class_row(Written)) as cursor:
        return cursor.execute(SQL.written_generations, {"collection_id": collection_id}).fetchall()


def history(conn: Connection, collection_id: int) -> list[Past]:
    """The generations of a collection that were not dropped yet, oldest first."""
    with conn.cursor(row_factory=class_row(Past)) as cursor:
        return cursor.execute(SQL.history, {"collection_id": collection_id}).fetchall()


def by_id(conn: Connection, ids: Collection[int]) -> dict[int, Generation]:
    """Those of the generations that still exist."""
    with conn.cursor(row_factory=class_row(Generation)) as cursor:
        return {row.id: row for row in cursor.execute(SQL.generations_by_id, {"ids": list(ids)})}
