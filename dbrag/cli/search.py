"""`dbrag search`: the best passages for a question."""

from typing import Annotated

import typer

from dbrag.cli import options, output, render


def search(
    text: Annotated[str, typer.Argument(help="What to look for, in your own words.")],
    collection: options.Collection,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Passages at most.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the passages as JSON, whole and uncut.")] = False,
    api: options.Api = None,
    key: options.Key = None,
) -> None:
    """Print the passages of a collection that are nearest in meaning, best first."""
    console = output.answers()
    with options.open_client(api, key) as client:
        found = client.search(collection, text, limit)
    if as_json:
        console.print_json(data=[hit.model_dump() for hit in found])
    else:
        console.print(render.hits(found))
