"""The names of a generation's tables and the queries on them."""

from typing import Any

from psycopg.sql import SQL as Statement
from psycopg.sql import Composed, Identifier

from dbrag.documents.model import Storage

# A vector of this many bytes still fits a page of 8 KiB beside the row's other columns.
PLAIN_BYTES = 8000


def generation_table(generation_id: int) -> Identifier:
    return Identifier(f"generation_{generation_id}")


def segment_table(generation_id: int, segment_id: int) -> Identifier:
    return Identifier(segment_table_name(generation_id, segment_id))


def segment_table_name(generation_id: int, segment_id: int) -> str:
    return f"generation_{generation_id}_segment_{segment_id}"


def column_type(storage: Storage, dimensions: int) -> Composed:
    """`halfvec(1536)`."""
    return Statement("{}({})").format(Identifier(storage.value), dimensions)


def column_storage(storage: Storage, dimensions: int) -> Statement:
    bytes_ = dimensions * (2 if storage is Storage.HALFVEC else 4)
    return Statement("PLAIN") if bytes_ <= PLAIN_BYTES else Statement("EXTERNAL")


def on(query: Statement, **names: Any) -> Composed:
    """The query with its identifiers and type filled in."""
    return query.format(**names)
