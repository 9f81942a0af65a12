"""`dbrag search`: the best passages for a question."""

from typing import Annotated

import typer

from dbrag.cli import options, output, render
from dbrag.vectors.model import Mode


def search(
    text: Annotated[str, typer.Argument(help="What to look for, in your own words.")],
    collection: options.Collection,
    mode: Annotated[Mode, typer.Option(help="Go by the meaning, the words, or both.")] = Mode.VECTOR,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Passages at most.")] = 5,
    as_json: options.Json = False,
    api: options.Api = None,
    key: options.Key = None,
) -> None:
    """Print the passages of a collection that answer best, in meaning or by their words."""
    with options.open_client(api, key) as client:
        found = client.search(collection, text, limit, mode)
    if as_json:
        output.json([hit.model_dump(mode="json") for hit in found])
    else:
        output.answers().print(render.hits(found))
