"""The part of `dbrag demo` that is about databases: a sample one is described, and questions are routed."""

import secrets
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql
from rich.console import Console
from rich.padding import Padding

from dbrag.cli import catalog_render, render
from dbrag.cli.ingest import failed_items
from dbrag.cli.tally import tally, usd
from dbrag.cli.watch import board, follow
from dbrag.client import Client
from dbrag.jobs.model import Status

NAME = "shop"
DATABASE, ROLE = "dbrag_sample_shop", "dbrag_sample_reader"
SCHEMAS = ("shop", "finance", "hr")
# Answered by a table, by a document, and by another table with its joins.
QUESTIONS = {
    "Which customers have not paid their bills in time?": "tables",
    "How long may a senator serve?": "documents",
    "Which articles do people send back, and why?": "tables",
}


def sample_database(database_url: str, root: Path) -> str:
    """Makes the sample database anew on this server, with a role that may only read it; the role's DSN."""
    parts, password = urlsplit(database_url), secrets.token_urlsafe(12)
    own_url = urlunsplit(parts._replace(path=f"/{DATABASE}"))
    database, role = sql.Identifier(DATABASE), sql.Identifier(ROLE)
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
        conn.execute(sql.SQL("CREATE DATABASE {}").format(database))
        conn.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
        conn.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password)))
    with psycopg.connect(own_url, autocommit=True) as conn:
        conn.execute((root / "samples" / "databases" / "shop.sql").read_bytes())
        for schema in map(sql.Identifier, SCHEMAS):
            conn.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
            conn.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(schema, role))
    return urlunsplit(parts._replace(netloc=f"{ROLE}:{password}@{parts.hostname}:{parts.port}", path=f"/{DATABASE}"))


def describe(client: Client, console: Console, dsn: str) -> list[str]:
    """Registers the database and describes its tables. Returns what did not go as it should, a sentence each."""
    client.catalog.put_connection(NAME, dsn=dsn)
    job = client.catalog.update(NAME)
    console.print(f"  accepted as job {job.id}, kind {job.kind}, queue {job.queue}", markup=False)
    with board(console) as shown:
        [job] = follow(client, [job], shown)
    console.print(
        f"  job {job.id} {job.status}: {job.counts.completed} of {job.counts.total} tables are described, "
        f"{usd(tally([job]).cost_usd)}",
        markup=False,
        soft_wrap=True,
    )
    if failed := failed_items(client, [job]):
        console.print(Padding(render.failures(failed), (0, 0, 0, 2), expand=False))
    return [] if job.status is Status.SUCCEEDED else [f"Job {job.id} ended {job.status}, not {Status.SUCCEEDED}."]


def route(client: Client, console: Console) -> list[str]:
    """Asks three questions. Returns those that were sent the wrong way, a sentence each."""
    wrong: list[str] = []
    for question, target in QUESTIONS.items():
        found = client.catalog.route(question)
        console.print(f"  “{question}”", style="bold")
        console.print(Padding(catalog_render.route(found), (0, 0, 1, 2), expand=False))
        if found.target not in (target, "both"):
            wrong.append(f"“{question}” was routed to {found.target}, not to {target}.")
    return wrong
