"""How long updates of many tables take, with and without a chat model."""

import time
from dataclasses import dataclass
from typing import Any

from benchmarks.catalog_questions import make_database
from benchmarks.client import Client
from tests.catalog_schemas import make_many


@dataclass
class Update:
    """One update: `tables` were looked at, of which `unchanged` had nothing to be done."""

    run: str
    tables: int
    unchanged: int
    seconds: float
    chat_requests: int
    embedded_tokens: int


def prepare(client: Client, server_url: str, tables: int) -> None:
    """A database of so many tables, registered as `many`."""
    client.put_connection("many", make_database(server_url, "many", lambda conn: make_many(conn, "many", tables)))


def update(client: Client, run: str, chat_requests: Any = lambda: 0) -> Update:
    """Updates the catalog of `many`."""
    before, began = chat_requests(), time.perf_counter()
    [job] = client.wait([client.ask("/v1/connections/many/catalog:update")["id"]])
    return Update(
        run,
        job["counts"]["total"],
        job["counts"]["cached"],
        time.perf_counter() - began,
        chat_requests() - before,
        job["usage"]["prompt_tokens"],
    )
