"""Generations: found by id or by their collection."""

from collections.abc import Collection

from psycopg.rows import class_row

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.errors import NotFound
from dbrag.vectors.model import Generation

SQL = beside(__file__)


def of_collection(conn: Connection, collection_id: int) -> Generation:
    """The generation that serves a collection. Raises: NotFound."""
    with conn.cursor(row_factory=class_row(Generation)) as cursor:
        generation = cursor.execute(SQL.select_generation, {"collection_id": collection_id}).fetchone()
    if generation is None:
        raise NotFound("the collection has been deleted")
    return generation


def by_id(conn: Connection, ids: Collection[int]) -> dict[int, Generation]:
    """Those of the generations that still exist."""
    with conn.cursor(row_factory=class_row(Generation)) as cursor:
        return {row.id: row for row in cursor.execute(SQL.generations_by_id, {"ids": list(ids)})}
