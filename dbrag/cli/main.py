"""The program `dbrag`: its commands, and the one place where an error becomes a line and an exit code."""

from typing import Any

import psycopg
import typer
from typer.core import TyperGroup

from dbrag.cli import (
    catalog,
    collections,
    database,
    demo,
    ingest,
    jobs,
    keys,
    output,
    search,
    settings_table,
    stack,
    tenants,
)
from dbrag.cli.doctor import command as doctor
from dbrag.errors import DbragError


class Program(TyperGroup):
    """Ends every expected error as one line on stderr; anything else is a bug and shows its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DbragError as exc:
            output.failure(exc.detail)
            raise typer.Exit(1) from exc
        except psycopg.Error as exc:
            said = exc.diag.message_primary or str(exc)
            output.failure(f"PostgreSQL says: {said.strip()}. `dbrag doctor` tells whether server and schema are well.")
            raise typer.Exit(1) from exc


app = typer.Typer(
    cls=Program,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Documents become searchable vectors. Clients: ingest, search, jobs, collections, catalog. "
    "Operators: the others.",
)
app.command()(ingest.ingest)
app.command()(search.search)
app.add_typer(jobs.app, name="jobs")
app.add_typer(collections.app, name="collections")
app.add_typer(catalog.app, name="catalog")
app.command()(doctor.doctor)
app.command()(demo.demo)
app.command()(stack.up)
app.command()(stack.relay)
app.add_typer(database.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(tenants.app, name="tenants")
app.command()(settings_table.settings)
