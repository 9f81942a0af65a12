"""Schemas for tests of the catalog."""

from psycopg.sql import SQL, Composed, Identifier, Literal

from dbrag.database.pool import Connection

_TABLE = SQL(
    """
    CREATE TABLE {table} (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        code varchar(40) NOT NULL UNIQUE,
        amount numeric(12, 2) NOT NULL DEFAULT 0,
        parent_id bigint REFERENCES {parent},
        created_at timestamptz NOT NULL DEFAULT now(),
        note text
    );
    COMMENT ON TABLE {table} IS {comment};
    COMMENT ON COLUMN {table}.code IS 'Code that people use';
    CREATE INDEX ON {table} (parent_id, created_at);
    INSERT INTO {table} (code, amount, note) SELECT 'C-' || i, i * 1.5, 'note ' || i FROM generate_series(1, 3) i;
    """
)


def make_many(conn: Connection, schema: str, n: int) -> None:
    """A schema of `n` tables `t_0000`…: keys, comments, an index, three rows; each refers to the one before it."""
    conn.execute(SQL("CREATE SCHEMA {}").format(Identifier(schema)))
    for start in range(0, n, 100):
        conn.execute(SQL("").join(_table(schema, number) for number in range(start, min(start + 100, n))))


def _table(schema: str, number: int) -> Composed:
    return _TABLE.format(
        table=Identifier(schema, f"t_{number:04}"),
        parent=Identifier(schema, f"t_{max(number - 1, 0):04}"),
        comment=Literal(f"Table {number} of many"),
    )
