"""A registered database, opened to be looked at: read only, in short transactions, with a limit for everything."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import RowFactory, dict_row, tuple_row
from pydantic.dataclasses import dataclass

from dbrag.catalog import samples, structure
from dbrag.catalog.dsn import parse
from dbrag.catalog.model import Masking, Row, Table
from dbrag.catalog.reach import resolve
from dbrag.catalog.refusals import Translate, failed_query, failed_sample
from dbrag.catalog.session import connect, hung_up_after
from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.settings import Settings

SQL = beside(__file__, "source.sql")


@dataclass(frozen=True, slots=True)
class Listed:
    """A relation that rows can be read from."""

    oid: int
    schema: str
    name: str


class Source:
    """What can be known of a database; made by `open_source`, for one thread.

    All its methods raise Transient: `source_gone` where the connection is lost. Each is one short transaction.
    """

    def __init__(self, conn: Connection, timeout_s: float) -> None:
        self._conn = conn
        self._timeout_s = timeout_s

    def listed(self) -> list[Listed]:
        """Everything that rows can be read from, by name; whether the role may read them is seen at `sample`.

        Not among it: what is PostgreSQL's own or an extension's, temporary, or a partition. Raises: Permanent
        (`source_failed`), Transient (`source_busy`, `source_timeout`).
        """
        (records,) = self._fetch([SQL.listed], {}, dict_row, failed_query)
        return [Listed(**record) for record in records]

    def tables(self, oids: Sequence[int]) -> list[Table]:
        """What these are like, by name, without those that are gone: five queries, however many they are.

        Raises: as `listed`.
        """
        blocks = [SQL.qualify, SQL.relations, SQL.columns, SQL.keys, SQL.indexes]
        _, *records = self._fetch(blocks, {"oids": list(oids)}, dict_row, failed_query)
        return structure.tables(*records)

    def sample(self, table: Table, rows: int, masking: Masking) -> list[Row]:
        """At most so many rows, masked and cut; none of a table without columns.

        Raises: Permanent (`permission_denied`, `table_gone`, `sample_timeout`, `unreadable`).
        """
        if not rows or not table.columns:
            return []
        statement = samples.statement(table, rows, masking)
        (records,) = self._fetch([statement], None, tuple_row, failed_sample(table))
        return [samples.shown(table, values, masking) for values in records]

    def _fetch(
        self,
        statements: Sequence[sql.SQL | sql.Composed],
        params: Mapping[str, Any] | None,
        row_factory: RowFactory[Any],
        translate: Translate,
    ) -> list[list[Any]]:
        patience_s = self._timeout_s * len(statements)
        try:
            with (
                hung_up_after(patience_s, self._conn),
                self._conn.transaction(),
                self._conn.cursor(row_factory=row_factory) as cursor,
            ):
                return [cursor.execute(statement, params).fetchall() for statement in statements]
        except psycopg.Error as exc:
            error = translate(exc)
        # Not `from exc`: the server's message would come along, into logs and error trackers.
        raise error


@contextmanager
def open_source(dsn: str, settings: Settings) -> Generator[Source]:
    """A session in a registered database, which can write nothing there; for a worker, since it asks DNS.

    Raises: Invalid for the DSN and its address; Permanent (`source_login_refused`, `source_no_database`,
    `source_tls_refused`, `source_pooled`); Transient (`source_unreachable`, `source_too_many_connections`).
    """
    conn = connect(resolve(parse(dsn), settings), settings)
    try:
        yield Source(conn, settings.source_timeout_s)
    finally:
        conn.close()
