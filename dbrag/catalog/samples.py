"""The statement that reads a few rows of a table, no more of each value than is shown, and what is shown of them."""

from collections.abc import Sequence

from psycopg.sql import SQL, Composed, Identifier, Literal

from dbrag.catalog import masking as masks
from dbrag.catalog.model import Column, Masking, Row, Table

MOST_COLUMNS = 50
SHOWN_CHARACTERS = 100

# Values stored larger than this stay where they are (TOAST), and only their size is shown; in bytes.
_MOST_BYTES = 65_536
# More is read than shown, so that a secret which is cut off at the end is still known by its shape.
_READ_CHARACTERS = 300

_HIDDEN = SQL("CASE WHEN {column} IS NOT NULL THEN {hidden} END")
_BYTES = SQL("'<' || pg_catalog.pg_size_pretty(pg_catalog.octet_length({column})::bigint) || '>'")
_TEXT = SQL(
    "CASE WHEN pg_catalog.pg_column_size({column}) > {most_bytes}"
    " THEN '<' || pg_catalog.pg_size_pretty(pg_catalog.pg_column_size({column})::bigint) || '>'"
    " ELSE pg_catalog.left({column}::pg_catalog.text, {characters}) END"
)
# LIMIT keeps the inner query apart, so that a view's column is computed once and not once for each place it is used in.
_ROWS = SQL("SELECT {values} FROM (SELECT {columns} FROM {table} LIMIT {rows}) AS sample")


def statement(table: Table, rows: int, masking: Masking) -> Composed:
    """Reads `rows` rows of the first columns; hidden values and bytes do not leave the server."""
    columns = table.columns[:MOST_COLUMNS]
    return _ROWS.format(
        values=SQL(", ").join(_value(table, column, masking) for column in columns),
        columns=SQL(", ").join(Identifier(column.name) for column in columns),
        table=Identifier(table.schema, table.name),
        rows=Literal(rows),
    )


def shown(table: Table, values: Sequence[str | None], masking: Masking) -> Row:
    """One row that the statement has read, masked and cut."""
    return {
        column.name: None if value is None else _shown(table, column.name, value, masking)
        for column, value in zip(table.columns[:MOST_COLUMNS], values, strict=True)
    }


def _value(table: Table, column: Column, masking: Masking) -> Composed:
    name = Identifier("sample", column.name)
    if masks.is_hidden(table.schema, table.name, column.name, masking):
        return _HIDDEN.format(column=name, hidden=Literal(masks.HIDDEN))
    if column.type == "bytea":
        return _BYTES.format(column=name)
    return _TEXT.format(column=name, most_bytes=Literal(_MOST_BYTES), characters=Literal(_READ_CHARACTERS))


def _shown(table: Table, column: str, value: str, masking: Masking) -> str:
    masked = masks.mask(table.schema, table.name, column, value, masking)
    return masked if len(masked) <= SHOWN_CHARACTERS else masked[: SHOWN_CHARACTERS - 1] + "…"
