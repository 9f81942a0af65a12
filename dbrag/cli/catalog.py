"""`dbrag catalog`: register databases, describe their tables, find the table that answers a question."""

from typing import Annotated

import typer
from rich.console import RenderableType

from dbrag.catalog import connections, secrets
from dbrag.cli import catalog_render, complete, options, output, render
from dbrag.cli.exit_codes import of_jobs
from dbrag.cli.ingest import failed_items
from dbrag.cli.options import Api, Json, Key
from dbrag.cli.tally import tally, usd
from dbrag.cli.watch import board, follow
from dbrag.client.model import Answer
from dbrag.database.pool import connect
from dbrag.jobs.model import Queue
from dbrag.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Which table of which database answers a question?")
Name = Annotated[
    str, typer.Argument(metavar="NAME", autocompletion=complete.connection, help="Name of the connection.")
]
Question = Annotated[str, typer.Argument(metavar="QUESTION", help="What you want to know, in your own words.")]


@app.command()
def add(
    name: Name,
    dsn: Annotated[
        str, typer.Option(envvar="DBRAG_DSN", prompt=True, hide_input=True, help="libpq URI of a role that may read.")
    ],
    sample_rows: Annotated[int, typer.Option(min=0, max=20, help="Rows of each table that are looked at.")] = 5,
    update_every_s: Annotated[int | None, typer.Option(min=60, help="Seconds between updates by beat.")] = None,
    mask: Annotated[list[str] | None, typer.Option(help="Regular expression: mask columns with such a name.")] = None,
    api: Api = None,
    key: Key = None,
) -> None:
    """Register a PostgreSQL database. The DSN is asked for, or taken from DBRAG_DSN: a shell remembers options."""
    wish = {"sample_rows": sample_rows, "update_every_s": update_every_s, "masking": {"columns": mask or []}}
    with options.open_client(api, key) as client:
        connection = client.catalog.put_connection(name, dsn=dsn, **wish)
    output.remark(f"{name}: {connection.database} at {connection.host}. Next: dbrag catalog update {name}")


@app.command()
def update(
    name: Name,
    schema: Annotated[str | None, typer.Option(help="Only this schema.")] = None,
    table: Annotated[str | None, typer.Option(help="Only this table.")] = None,
    force: Annotated[bool, typer.Option(help="Describe anew what has not changed, too.")] = False,
    queue: Annotated[Queue, typer.Option(help="Who is served first.")] = Queue.DEFAULT,
    wait: Annotated[bool, typer.Option(help="Follow the job until it ends; else print its id.")] = True,
    api: Api = None,
    key: Key = None,
) -> None:
    """Describe what is new or has changed. Ends with 0 if all tables are described, 3 if some failed."""
    console = output.answers()
    with options.open_client(api, key) as client:
        job = client.catalog.update(name, schema=schema, table=table, force=force, queue=queue.value)
        if not wait:
            console.print(job.id)
            return
        with board(console) as shown:
            jobs = follow(client, [job], shown)
        total, result = tally(jobs), jobs[0].result or {}
        same = f"{result.get('unchanged', 0)} unchanged, {result.get('dropped', 0)} dropped"
        console.print(f"{jobs[0].counts.completed} tables are described ({same}); {usd(total.cost_usd)}.", markup=False)
        if failed := failed_items(client, jobs):
            console.print(render.failures(failed))
    raise typer.Exit(of_jobs(jobs))


@app.command("list")
def list_(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", autocompletion=complete.connection, help="Its tables; all connections without."
        ),
    ] = None,
    as_json: Json = False,
    api: Api = None,
    key: Key = None,
) -> None:
    """List connections, or the described tables of one."""
    with options.open_client(api, key) as client:
        if name is None:
            found = list(client.catalog.connections())
            shown = catalog_render.connections(found)
        else:
            found = list(client.catalog.tables(name))
            shown = catalog_render.tables(found)
    if as_json:
        output.json([one.model_dump(mode="json", by_alias=True) for one in found])
    else:
        output.answers().print(shown)


@app.command()
def show(
    name: Name,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="`schema.table`.")],
    as_json: Json = False,
    api: Api = None,
    key: Key = None,
) -> None:
    """Show what the catalog knows of one table."""
    with options.open_client(api, key) as client:
        found = client.catalog.table(name, table)
    _print(found, catalog_render.table(found), as_json=as_json)


@app.command()
def search(
    question: Question,
    connection: Annotated[list[str] | None, typer.Option(help="Only in this connection; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Tables at most.")] = 5,
    as_json: Json = False,
    api: Api = None,
    key: Key = None,
) -> None:
    """Find the tables that answer a question, and how they are joined."""
    with options.open_client(api, key) as client:
        found = client.catalog.search(question, connection, limit)
    _print(found, catalog_render.found(found), as_json=as_json)


@app.command()
def route(question: Question, as_json: Json = False, api: Api = None, key: Key = None) -> None:
    """Say whether documents, tables or both answer a question, with the best of each."""
    with options.open_client(api, key) as client:
        found = client.catalog.route(question)
    _print(found, catalog_render.route(found), as_json=as_json)


@app.command()
def delete(name: Name, api: Api = None, key: Key = None) -> None:
    """Forget a connection and what the catalog has of it; the database itself is left alone."""
    with options.open_client(api, key) as client:
        client.catalog.delete_connection(name)
    output.remark(f"Deleted {name}.")


@app.command("new-key")
def new_key() -> None:
    """For operators: print a new key for DBRAG_ENCRYPTION_KEYS. Put it first there, and keep the others behind it."""
    typer.echo(secrets.new_key())


@app.command("encrypt-anew")
def encrypt_anew() -> None:
    """For operators: encrypt all DSNs with the first key; afterwards the others can be taken away."""
    settings = Settings()  # pyright: ignore[reportCallIssue] - from the environment
    with connect(settings) as conn:
        done = connections.encrypt_anew(conn, settings)
    output.remark(f"{done} DSNs are encrypted with the first key.")


def _print(found: Answer, shown: RenderableType, *, as_json: bool) -> None:
    if as_json:
        output.json(found.model_dump(mode="json", by_alias=True))
    else:
        output.answers().print(shown)
