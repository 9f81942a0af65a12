"""A database for the catalog to look at: its own, on the platform's server, with a role that may only read."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

SCHEMA: LiteralString = """
CREATE SCHEMA shop;
CREATE TABLE shop.customers (
    customer_id integer PRIMARY KEY, full_name text NOT NULL, email text, loyalty_points integer);
COMMENT ON TABLE shop.customers IS 'People who have bought something, or have an account';
COMMENT ON COLUMN shop.customers.loyalty_points IS 'Earned with purchases, spent on vouchers';
CREATE TABLE shop.orders (
    order_id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES shop.customers, placed_at date NOT NULL,
    total_amount numeric(10, 2) NOT NULL);
COMMENT ON TABLE shop.orders IS 'What customers have ordered';
CREATE TABLE shop.vouchers (code text PRIMARY KEY, customer_id integer REFERENCES shop.customers, percent integer);
CREATE VIEW shop.big_orders AS SELECT * FROM shop.orders WHERE total_amount > 1000;
INSERT INTO shop.customers VALUES (1, 'Ada Lovelace', 'ada@example.org', 12), (2, 'Alan Turing', 'alan@example.org', 3);
INSERT INTO shop.orders VALUES (1, 1, '2026-01-05', 12.50), (2, 2, '2026-02-07', 2000);
"""
TABLES = ["shop.big_orders", "shop.customers", "shop.orders", "shop.vouchers"]


@dataclass
class SourceDatabase:
    """`dsn` is that of a role that may read; `execute` is its owner's hand."""

    owner_url: str
    dsn: str
    role: str
    password: str

    def execute(self, statement: LiteralString | sql.Composed) -> list[Any]:
        with psycopg.connect(self.owner_url, autocommit=True) as conn:
            cursor = conn.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def grant(self) -> None:
        """The role may read all there is now."""
        self.execute(sql.SQL("GRANT USAGE ON SCHEMA shop TO {}").format(sql.Identifier(self.role)))
        self.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA shop TO {}").format(sql.Identifier(self.role)))


@contextmanager
def source_database(server_url: str, schema: LiteralString = SCHEMA) -> Iterator[SourceDatabase]:
    """Made on the server of `server_url`, and gone afterwards."""
    name, role, password = (f"{word}_{secrets.token_hex(4)}" for word in ("source", "reader", "hidden"))
    parts = urlsplit(server_url)
    host, port = conninfo_to_dict(server_url)["host"], parts.port
    database = SourceDatabase(
        urlunsplit(parts._replace(path=f"/{name}")),
        f"postgresql://{role}:{password}@{host}:{port}/{name}",
        role,
        password,
    )
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        conn.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))
    try:
        database.execute(schema)
        database.grant()
        yield database
    finally:
        with psycopg.connect(server_url, autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
