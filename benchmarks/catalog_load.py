"""How long updates of many tables take, with and without a chat model."""

import time
from dataclasses import dataclass
from typing import Any

from benchmarks.catalog_questions import make_database
from benchmarks.client import Client

MANY = """
CREATE SCHEMA many;
DO $$
DECLARE
    subjects text[] := ARRAY['order', 'invoice', 'customer', 'shipment', 'supplier', 'contract', 'vehicle', 'machine',
        'ticket', 'campaign', 'project', 'sensor', 'policy', 'claim', 'student', 'course', 'patient', 'room', 'flight',
        'parcel'];
    aspects text[] := ARRAY['header', 'line', 'status', 'history', 'note', 'address', 'price', 'document', 'event',
        'contact', 'target', 'audit', 'rating', 'budget', 'schedule', 'limit', 'permission', 'import', 'summary',
        'setting', 'image', 'category', 'comment', 'fee', 'warning'];
    i integer;
    name text;
BEGIN
    FOR i IN 0 .. {count} - 1 LOOP
        name := subjects[1 + i % 20] || '_' || aspects[1 + i / 20 % 25] || CASE WHEN i >= 500 THEN i::text ELSE '' END;
        EXECUTE format('CREATE TABLE many.%I (id bigint PRIMARY KEY, code text NOT NULL UNIQUE, parent_id bigint, '
                       'amount numeric(12, 2), status text, created_at timestamptz NOT NULL DEFAULT now())', name);
        EXECUTE format('COMMENT ON TABLE many.%I IS %L', name, 'The ' || replace(name, '_', ' ') || 's of the company');
        EXECUTE format('INSERT INTO many.%I SELECT n, ''C-'' || n, n, n * 1.5, ''open'' FROM generate_series(1, 5) n',
                       name);
        EXECUTE format('ALTER TABLE many.%I ADD FOREIGN KEY (parent_id) REFERENCES many.%I', name,
                       subjects[1 + i % 20] || '_header');
    END LOOP;
END $$;
ANALYZE;
"""


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
    client.put_connection("many", make_database(server_url, "many", MANY.replace("{count}", str(tables))))


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
