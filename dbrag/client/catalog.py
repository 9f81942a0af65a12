"""The calls on registered databases and their tables."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from dbrag.client import paths
from dbrag.client.catalog_model import Connection, Route, Table, TablesFound, TableSummary
from dbrag.client.model import PAGE, Job, Page
from dbrag.client.transport import Transport


class Catalog:
    """`client.catalog`: which table of which database answers a question? All methods raise dbrag.errors."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def put_connection(self, name: str, **wish: Any) -> Connection:
        """Register a database; `wish` has its `dsn` and what else the API takes."""
        return self._transport.parse(Connection, self._transport.send("PUT", paths.connection(name), json=wish))

    def connections(self) -> Iterator[Connection]:
        for page in self._transport.pages(Page[Connection], "/v1/connections", {"limit": str(PAGE)}):
            yield from page.data

    def delete_connection(self, name: str) -> None:
        self._transport.send("DELETE", paths.connection(name))

    def update(self, name: str, *, idempotency_key: str | None = None, **scope: Any) -> Job:
        """Have a database's tables described; `scope`: schema, table, force, queue."""
        wish = {field: value for field, value in scope.items() if value}
        return self._transport.make_job(f"{paths.connection(name)}/catalog:update", idempotency_key, json=wish)

    def tables(self, name: str) -> Iterator[TableSummary]:
        for page in self._transport.pages(Page[TableSummary], f"{paths.connection(name)}/tables", {"limit": str(PAGE)}):
            yield from page.data

    def table(self, name: str, full_name: str) -> Table:
        """One table; `full_name` is `schema.table`."""
        return self._transport.get(Table, f"{paths.connection(name)}/tables/{quote(full_name, safe='')}")

    def search(self, query: str, connections: Sequence[str] | None = None, limit: int = 5) -> TablesFound:
        """The tables that answer a question, and how they are joined."""
        body = {"query": query, "limit": limit} | ({"connections": list(connections)} if connections else {})
        return self._transport.post(TablesFound, "/v1/catalog/search", json=body)

    def route(self, query: str) -> Route:
        """Whether documents or tables answer a question, with the best of each."""
        return self._transport.post(Route, "/v1/route", json={"query": query})
