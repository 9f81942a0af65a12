"""What a shell offers after TAB: names that the API knows. Without an API, or with a slow one, nothing."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import typer

from dbrag.cli.address import find_address
from dbrag.client import Client
from dbrag.client.catalog_model import Connection
from dbrag.client.model import Collection
from dbrag.errors import DbragError

# Who has pressed TAB waits for it.
TIMEOUT_S = 1.0
JOBS = 20


def collection(ctx: typer.Context, incomplete: str) -> list[str]:
    return _names(ctx, incomplete, lambda client: client.collections())


def job(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """The newest jobs, with what tells them apart."""
    with suppress(DbragError):
        for one in _client(ctx).jobs(JOBS):
            if one.id.startswith(incomplete):
                yield one.id, f"{one.kind} {one.status}"


def connection(ctx: typer.Context, incomplete: str) -> list[str]:
    return _names(ctx, incomplete, lambda client: client.catalog.connections())


def _names(
    ctx: typer.Context, incomplete: str, known: Callable[[Client], Iterable[Collection | Connection]]
) -> list[str]:
    found: list[str] = []
    with suppress(DbragError):
        found = [one.name for one in known(_client(ctx))]
    return [name for name in found if name.startswith(incomplete)]


def _client(ctx: typer.Context) -> Client:
    """For the API of the command line so far, of the environment, or of the running stack."""
    address = find_address(ctx.params.get("api"), ctx.params.get("key"), Path.cwd())
    return Client(address.api, address.key, patience_s=0, timeout_s=TIMEOUT_S)
