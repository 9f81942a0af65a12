"""`dbrag collections`: list, pause and resume collections."""

from typing import Annotated

import typer
from rich.table import Table

from dbrag.cli import options, output

app = typer.Typer(no_args_is_help=True, help="List, pause and resume collections.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the collection.")]


@app.command("list")
def list_collections(api: options.Api = None, key: options.Key = None) -> None:
    """List collections by name."""
    with options.open_client(api, key) as client:
        found = list(client.collections())
    table = Table("name", "model", "dimensions", "paused", box=None, pad_edge=False)
    for one in found:
        since = f"since {one.paused_at:%Y-%m-%d %H:%M}" if one.paused_at else ""
        table.add_row(one.name, one.model, str(one.dimensions), since)
    output.answers().print(table if found else "No collections.")


@app.command()
def pause(name: Name, api: options.Api = None, key: options.Key = None) -> None:
    """Have what is accepted for a collection wait; searches and deletions go on."""
    with options.open_client(api, key) as client:
        client.pause(name)
    output.remark(f"Paused {name}: its jobs wait until `dbrag collections resume {name}`.")


@app.command()
def resume(name: Name, api: options.Api = None, key: options.Key = None) -> None:
    """Let a paused collection go on."""
    with options.open_client(api, key) as client:
        client.resume(name)
    output.remark(f"Resumed {name}.")
