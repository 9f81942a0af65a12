"""`dbrag collections`: make, look at, pause, resume and delete collections."""

from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.table import Table

from dbrag.cli import complete, options, output, render
from dbrag.errors import Conflict, NotFound

app = typer.Typer(no_args_is_help=True, help="Make, look at, pause, resume and delete collections.")
Name = Annotated[
    str, typer.Argument(metavar="NAME", autocompletion=complete.collection, help="Name of the collection.")
]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the collection: a–z, 0–9, _ and -.")]


@app.command("list")
def list_collections(as_json: options.Json = False, api: options.Api = None, key: options.Key = None) -> None:
    """List collections by name."""
    with options.open_client(api, key) as client:
        found = list(client.collections())
    if as_json:
        output.json([one.model_dump(mode="json") for one in found])
        return
    table = Table("name", "model", "dimensions", "paused", box=None, pad_edge=False)
    for one in found:
        since = f"since {one.paused_at:%Y-%m-%d %H:%M}" if one.paused_at else ""
        table.add_row(one.name, one.model, str(one.dimensions), since)
    output.answers().print(table if found else "No collections: dbrag collections create NAME makes one.")


@app.command()
def show(name: Name, as_json: options.Json = False, api: options.Api = None, key: options.Key = None) -> None:
    """Show a collection's model, its way of splitting, and what it waits for."""
    with options.open_client(api, key) as client:
        found = client.collection(name)
    if as_json:
        output.json(found.model_dump(mode="json"))
    else:
        output.answers().print(render.collection(found))


@app.command()
def create(
    name: NewName,
    model: Annotated[str | None, typer.Option(help="Embedding model; else the API's default.")] = None,
    dimensions: Annotated[int | None, typer.Option(min=1, help="Length of a vector; else the model's own.")] = None,
    language: Annotated[str | None, typer.Option(help="In which words are looked up; `none`: they are not.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=16, help="Tokens in a chunk at most.")] = None,
    overlap_tokens: Annotated[int | None, typer.Option(min=0, help="Tokens that neighbours share.")] = None,
    api: options.Api = None,
    key: options.Key = None,
) -> None:
    """Create a collection. One that stands is not changed: another model would make all its vectors anew."""
    wish = _given(model=model, dimensions=dimensions, language=language)
    chunking = _given(max_tokens=max_tokens, overlap_tokens=overlap_tokens)
    with options.open_client(api, key) as client:
        with suppress(NotFound):
            client.collection(name)
            raise Conflict(f"There is a collection {name} already: dbrag collections show {name}")
        made = client.put_collection(name, **wish, **({"chunking": chunking} if chunking else {}))
    output.remark(f"{made.name}: {made.model}, {made.dimensions} dimensions. Next: dbrag ingest PATH… -c {made.name}")


@app.command()
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    api: options.Api = None,
    key: options.Key = None,
) -> None:
    """Delete a collection with all its documents and vectors. Asks before, unless --yes is given."""
    with options.open_client(api, key) as client:
        found = client.collection(name)
        if not yes:
            typer.confirm(f"Delete {found.name} with all its documents and vectors?", abort=True, err=True)
        client.delete_collection(name)
    output.remark(f"Deleted {name}.")


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


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
