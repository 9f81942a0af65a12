"""`dbrag keys`: make, list and revoke API keys, directly in the database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dbrag.accounts import keys
from dbrag.accounts.model import Scope
from dbrag.cli import output
from dbrag.cli.address import load_settings
from dbrag.database import pool

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys (needs DATABASE_URL).")
Tenant = Annotated[str, typer.Option(help="Name of the tenant.")]


@app.command()
def create(
    tenant: Tenant,
    name: Annotated[str, typer.Option(help="What the key is for.")],
    scope: Annotated[list[Scope] | None, typer.Option(help="What it may do; repeatable; default: everything.")] = None,
    expires_days: Annotated[int | None, typer.Option(min=1, help="Days until it ends; default: never.")] = None,
) -> None:
    """Make a key, and the tenant if it is new; the key is the last line of stdout and is never shown again."""
    expires_at = datetime.now(UTC) + timedelta(days=expires_days) if expires_days else None
    with pool.connect(load_settings(Path.cwd())) as conn:
        key = keys.create(conn, tenant, name, scope or list(Scope), expires_at)
    until = f"until {expires_at:%Y-%m-%d %H:%M} UTC" if expires_at else "until revoked"
    output.remark(f"A key of tenant {tenant!r} for {', '.join(scope or Scope)}, valid {until}.")
    output.remark("Keep it now: only its hash is stored.")
    typer.echo(key)


@app.command("list")
def list_keys(tenant: Tenant) -> None:
    """List a tenant's keys."""
    with pool.connect(load_settings(Path.cwd())) as conn:
        found = keys.list_keys(conn, tenant)
    table = Table("prefix", "name", "scopes", "created", "expires", "revoked", box=None, pad_edge=False)
    for key in found:
        stamps = (f"{at:%Y-%m-%d}" if at else "" for at in (key.created_at, key.expires_at, key.revoked_at))
        table.add_row(key.prefix, key.name, " ".join(key.scopes), *stamps)
    output.answers().print(table if found else "No keys.")


@app.command()
def revoke(
    prefix: Annotated[str, typer.Argument(help="The 8 characters after `dbrag_`, as `keys list` shows them.")],
) -> None:
    """Make a key worthless at once."""
    with pool.connect(load_settings(Path.cwd())) as conn:
        keys.revoke(conn, prefix)
    output.remark(f"Revoked {prefix}.")
