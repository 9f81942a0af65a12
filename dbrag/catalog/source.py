"""A registered database, read-only: which tables it has, what they look like, and a few of their rows, masked."""

from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from psycopg import errors, sql
from psycopg.rows import dict_row

from dbrag.catalog import dsn, masking, reach
from dbrag.catalog.failures import failure
from dbrag.catalog.model import Column, ForeignKey, Index, Masking, Row, Table
from dbrag.database.queries import beside
from dbrag.errors import Permanent
from dbrag.settings import Settings

SQL = beside(__file__, "source.sql")
# A value is cut after so many characters; a row after so many columns: a table may have 1,600.
VALUE_CHARS, COLUMNS = 100, 50
# What is stored larger (compressed, or elsewhere) is not read at all.
VALUE_BYTES = 65_536


class Listed(NamedTuple):
    """A table that there is."""

    oid: int
    schema: str
    name: str


@contextmanager
def open_source(url: str, settings: Settings) -> Generator["Source"]:
    """A session in the database of this DSN; each statement is a transaction, so that nothing is held meanwhile.

    Raises: Permanent, Transient; see failures.py.
    """
    parameters = reach.resolved(dsn.parse(url), settings)
    try:
        with psycopg.connect(**_session(parameters, settings), autocommit=True) as conn:  # pyright: ignore[reportArgumentType]
            conn.read_only = True
            yield Source(conn)
    except psycopg.Error as exc:
        raise failure(exc) from None  # its words may quote the DSN


def _session(parameters: dict[str, str], settings: Settings) -> dict[str, Any]:
    timeout_ms = round(settings.source_timeout_s * 1000)
    options = {
        "default_transaction_read_only": "on",
        "statement_timeout": timeout_ms,
        "lock_timeout": timeout_ms,
        "idle_in_transaction_session_timeout": timeout_ms,
        "idle_session_timeout": 0,
    }
    return {
        **parameters,
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
        "application_name": "dbrag-catalog",
        "connect_timeout": min(int(parameters.get("connect_timeout", "5")) or 5, 10),
        "client_encoding": "utf8",
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 3 * timeout_ms,
    }


class Source:
    """What may be asked of it. Every failure is one of failures.py."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn

    def listed(self) -> list[Listed]:
        """All tables and views that there are, by name."""
        return [Listed._make(row) for row in self._ask(SQL.listed)]

    def tables(self, oids: Sequence[int]) -> list[Table]:
        """Those of these tables that are there, by name, in five statements however many they are."""
        wanted = {"oids": list(oids)}
        columns: defaultdict[int, list[Column]] = defaultdict(list)
        for oid, *column in self._ask(SQL.columns, wanted):
            columns[oid].append(Column(*column))
        indexes: defaultdict[int, list[Index]] = defaultdict(list)
        for oid, name, unique, expressions in self._ask(SQL.indexes, wanted):
            indexes[oid].append(Index(name, expressions, unique))
        keys: defaultdict[int, _Keys] = defaultdict(_Keys)
        for oid, kind, *key in self._ask(SQL.keys, wanted):
            keys[oid].add(kind, *key)
        with self._conn.cursor(row_factory=dict_row) as cursor:
            rows = self._run(cursor, SQL.tables, wanted).fetchall()
        return [
            Table(
                **row,
                columns=columns[row["oid"]],
                primary_key=keys[row["oid"]].primary,
                unique_keys=keys[row["oid"]].unique,
                foreign_keys=keys[row["oid"]].foreign,
                indexes=indexes[row["oid"]],
            )
            for row in rows
        ]

    def sample(self, table: Table, rows: int, masked: Masking) -> list[Row]:
        """A few rows, as they may be seen; of very wide tables the first columns.

        Raises: Permanent where they cannot be read: `permission_denied`, `table_gone`, `sample_timeout`, `unreadable`.
        """
        if not rows or not table.columns:
            return []
        columns = table.columns[:COLUMNS]
        query = sql.SQL("SELECT {values} FROM {table} t LIMIT {rows}").format(
            values=sql.SQL(", ").join(_value(column) for column in columns),
            table=sql.Identifier(table.schema, table.name),
            rows=sql.Literal(rows),
        )
        try:
            found = self._run(self._conn.cursor(), query).fetchall()
        except errors.InsufficientPrivilege:
            grant = f"GRANT SELECT ON {table.full_name} lets it, `sample_rows: 0` does without"
            raise Permanent(f"its role may not read it: {grant}", code="permission_denied") from None
        except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName):
            raise Permanent("it was dropped or changed just now: update it again", code="table_gone") from None
        except (errors.QueryCanceled, errors.LockNotAvailable):
            raise Permanent(
                "reading a few of its rows took longer than DBRAG_SOURCE_TIMEOUT_S", code="sample_timeout"
            ) from None
        except psycopg.OperationalError:
            raise
        except psycopg.Error as exc:
            raise Permanent(f"its rows cannot be read ({type(exc).__name__})", code="unreadable") from None
        names = [column.name for column in columns]
        return [masking.mask_row(dict(zip(names, values, strict=True)), table.full_name, masked) for values in found]

    def _ask(self, query: sql.SQL, parameters: dict[str, Any] | None = None) -> list[Any]:
        return self._run(self._conn.cursor(), query, parameters).fetchall()

    def _run(
        self, cursor: psycopg.Cursor[Any], query: sql.SQL | sql.Composed, parameters: dict[str, Any] | None = None
    ) -> psycopg.Cursor[Any]:
        return cursor.execute(query, parameters, prepare=False)


class _Keys:
    """The keys of one table."""

    def __init__(self) -> None:
        self.primary: list[str] = []
        self.unique: list[list[str]] = []
        self.foreign: list[ForeignKey] = []

    def add(self, kind: str, name: str, columns: list[str], schema: str, table: str, target_columns: list[str]) -> None:
        if kind == "p":
            self.primary = columns
        elif kind == "u":
            self.unique.append(columns)
        else:
            self.foreign.append(ForeignKey(name, columns, schema, table, target_columns))


def _value(column: Column) -> sql.Composed:
    """A column's value as text, cut; of what is stored large only its size."""
    name = sql.Identifier("t", column.name)
    if column.type == "bytea":
        return sql.SQL("'<' || octet_length({}) || ' bytes>'").format(name)
    return sql.SQL(
        "CASE WHEN pg_column_size({0}) > {1} THEN '<' || pg_column_size({0}) || ' bytes>' ELSE left({0}::text, {2}) END"
    ).format(name, sql.Literal(VALUE_BYTES), sql.Literal(VALUE_CHARS))
