"""`dbrag catalog`: register databases, describe their tables, find the table that answers a question."""

from typing import Annotated

import typer

from dbrag.catalog import connections, secrets
from dbrag.cli import catalog_render, options, output, render
from dbrag.cli.ingest import failed_items
from dbrag.cli.options import Api, Key
from dbrag.cli.tally import exit_code, tally, usd
from dbrag.cli.watch import board, follow
from dbrag.database.pool import connect
from dbrag.jobs.model import Queue
from dbrag.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Which table of which database answers a question?")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the connection.")]
Question = Annotated[str, typer.Argument(metavar="QUESTION", help="What you want to know, in your own words.")]
Json = Annotated[bool, typer.Option("--json", help="Print the API's answer.")]


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
        connection = client.put_connection(name, dsn=dsn, **wish)
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
        job = client.update_catalog(name, schema=schema, table=table, force=force, queue=queue.value)
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
    raise typer.Exit(exit_code(jobs))


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Its tables; all connections without.")] = None,
    api: Api = None,
    key: Key = None,
) -> None:
    """List connections, or the described tables of one."""
    with options.open_client(api, key) as client:
        if name is None:
            shown = catalog_render.connections(list(client.connections()))
        else:
            shown = catalog_render.tables(list(client.tables(name)))
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
        found, whole = client.table(name, table)
    console = output.answers()
    console.print_json(whole) if as_json else console.print(catalog_render.table(found))


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
        found, whole = client.search_catalog(question, connection, limit)
    console = output.answers()
    console.print_json(whole) if as_json else console.print(catalog_render.found(found))


@app.command()
def route(question: Question, as_json: Json = False, api: Api = None, key: Key = None) -> None:
    """Say whether documents, tables or both answer a question, with the best of each."""
    with options.open_client(api, key) as client:
        found, whole = client.route(question)
    console = output.answers()
    console.print_json(whole) if as_json else console.print(catalog_render.route(found))


@app.command()
def delete(name: Name, api: Api = None, key: Key = None) -> None:
    """Forget a connection and what the catalog has of it; the database itself is left alone."""
    with options.open_client(api, key) as client:
        client.delete_connection(name)
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
