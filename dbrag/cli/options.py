"""Options and arguments that several commands share, spelt once."""

from pathlib import Path
from typing import Annotated

import typer

from dbrag.cli import complete, output
from dbrag.cli.address import find_address
from dbrag.client import Client

Api = Annotated[
    str | None,
    typer.Option("--api", envvar="DBRAG_API_URL", help="Base URL of the API; default: the stack of this folder."),
]
Key = Annotated[
    str | None,
    typer.Option("--key", envvar="DBRAG_API_KEY", help="API key; default: the key of this folder's stack."),
]
Collection = Annotated[
    str, typer.Option("--collection", "-c", autocompletion=complete.collection, help="Name of the collection.")
]
JobId = Annotated[str, typer.Argument(metavar="ID", autocompletion=complete.job, help="Id of the job.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def open_client(api: str | None, key: str | None, *, patience_s: float = 60.0) -> Client:
    """A client for the API that options, environment or the stack of this folder name."""
    address = find_address(api, key, Path.cwd())
    return Client(address.api, address.key, notice=output.remark, patience_s=patience_s)
