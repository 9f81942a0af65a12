"""Two databases with the questions that are asked of them, and the documents beside them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import LiteralString, NamedTuple, cast
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from benchmarks import catalog_gold, catalog_store_gold
from benchmarks.client import Client
from benchmarks.stack import ROOT
from dbrag.database.pool import Connection

DOCUMENTS = "documents"
"""The collection of the samples and of dbrag's own documentation."""


class Question(NamedTuple):
    """What is asked, the tables any of which answers it (none: no table does), and whether documents do."""

    text: str
    tables: Sequence[str]
    by_tables: bool
    by_documents: bool


class Shop(NamedTuple):
    """A database, with notes about its business: its name is that of its connection, and of the notes' collection."""

    name: str
    schema: Path
    tables: Mapping[str, Sequence[str]]
    documents: Sequence[str]
    both: Sequence[str]
    notes: Mapping[str, str]

    def fill(self, conn: Connection) -> None:
        """Makes its tables."""
        conn.execute(cast(LiteralString, self.schema.read_text()))  # a file of ours

    @property
    def questions(self) -> list[Question]:
        """All that is asked where this database and the documents are there."""
        return [
            *(Question(text, tables, True, False) for text, tables in self.tables.items()),
            *(Question(text, (), False, True) for text in self.documents),
            *(Question(text, (), True, True) for text in self.both),
            *(Question(text, (), False, False) for text in catalog_gold.NEITHER),
        ]

    @property
    def collections(self) -> list[str]:
        """Where its documents are."""
        return [DOCUMENTS, self.name] if self.notes else [DOCUMENTS]


SHOPS = (
    Shop(
        "shop",
        ROOT / "samples" / "databases" / "shop.sql",
        catalog_gold.TABLES,
        catalog_gold.DOCUMENTS,
        catalog_gold.BOTH,
        catalog_gold.NOTES,
    ),
    Shop(
        "store",
        ROOT / "benchmarks" / "catalog_store.sql",
        catalog_store_gold.TABLES,
        catalog_store_gold.DOCUMENTS,
        catalog_store_gold.BOTH,
        {},
    ),
)


def make_database(server_url: str, name: str, fill: Callable[[Connection], object]) -> str:
    """A new database of this server; its DSN."""
    url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with psycopg.connect(url) as conn:
        fill(conn)
    return url


def load(client: Client, server_url: str) -> None:
    """The databases into the catalog, and the documents into their collections."""
    for shop in SHOPS:
        client.put_connection(shop.name, make_database(server_url, shop.name, shop.fill))
        client.wait([client.ask(f"/v1/connections/{shop.name}/catalog:update")["id"]])
    client.put_collection(DOCUMENTS)
    files = [file for file in (ROOT / "samples").iterdir() if file.is_file() and not file.name.startswith("broken")]
    client.wait([client.send_files(DOCUMENTS, sorted([*files, *(ROOT / "docs").glob("*.md")]))])
    for shop in SHOPS:
        if shop.notes:
            client.put_collection(shop.name)
            notes = [{"external_id": name, "text": text} for name, text in shop.notes.items()]
            client.wait([client.post(f"/v1/collections/{shop.name}/documents:batch", notes)])
