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
    usage,
)
from dbrag.cli.doctor import command as doctor
from dbrag.cli.exit_codes import ExitCode, of_error
from dbrag.errors import DbragError, Unauthorized


class Program(TyperGroup):
    """Ends every expected error as one line on stderr; anything else is a bug and shows its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DbragError as exc:
            output.failure(f"{exc.detail}{_what_to_do(exc)}")
            raise typer.Exit(of_error(exc)) from exc
        except KeyboardInterrupt as exc:
            output.remark("Interrupted.")
            raise typer.Exit(ExitCode.INTERRUPTED) from exc
        except psycopg.Error as exc:
            said = exc.diag.message_primary or str(exc)
            output.failure(f"PostgreSQL says: {said.strip()}. `dbrag doctor` tells whether server and schema are well.")
            raise typer.Exit(ExitCode.FAILED) from exc


def _what_to_do(error: DbragError) -> str:
    """What a person at a terminal can do about it, where the API cannot know."""
    stop = "" if error.detail.endswith(".") else "."
    return f"{stop} Give the key with --key or DBRAG_API_KEY." if isinstance(error, Unauthorized) else ""


app = typer.Typer(
    cls=Program,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Documents become searchable vectors. Clients: ingest, search, jobs, collections, usage, catalog. "
    "Operators: the others.",
)
app.command()(ingest.ingest)
app.command()(search.search)
app.add_typer(jobs.app, name="jobs")
app.add_typer(collections.app, name="collections")
app.command()(usage.usage)
app.add_typer(catalog.app, name="catalog")
app.command()(doctor.doctor)
app.command()(demo.demo)
app.command()(stack.up)
app.command()(stack.relay)
app.add_typer(database.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(tenants.app, name="tenants")
app.command()(settings_table.settings)
