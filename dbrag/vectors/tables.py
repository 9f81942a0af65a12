"""The names and column types of a generation's tables."""

from psycopg import sql
from psycopg.sql import Identifier

from dbrag.documents.model import Storage


def generation_table(generation_id: int) -> Identifier:
    return Identifier(f"generation_{generation_id}")


def segment_table(generation_id: int, segment_id: int) -> Identifier:
    return Identifier(segment_table_name(generation_id, segment_id))


def segment_table_name(generation_id: int, segment_id: int) -> str:
    return f"generation_{generation_id}_segment_{segment_id}"


def column_type(storage: Storage, dimensions: int) -> sql.Composed:
    """`halfvec(1536)`."""
    return sql.SQL("{}({})").format(Identifier(storage.value), dimensions)
