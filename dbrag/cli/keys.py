"""`dbrag keys`: make, list, rotate and revoke API keys, directly in the database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dbrag.accounts import keys
from dbrag.accounts.model import Scope
from dbrag.cli import output, times
from dbrag.cli.address import load_settings
from dbrag.database import pool

app = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke API keys (needs DATABASE_URL).")
Tenant = Annotated[str, typer.Option(help="Name of the tenant.")]
Prefix = Annotated[str, typer.Argument(help="The 8 characters after `dbrag_`, as `keys list` shows them.")]


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
    _show(key, f"A key of tenant {tenant!r} for {', '.join(scope or Scope)}, valid {_until(expires_at)}.")


@app.command("list")
def list_keys(tenant: Tenant) -> None:
    """List a tenant's keys; `last used` is right to a minute."""
    with pool.connect(load_settings(Path.cwd())) as conn:
        found = keys.list_keys(conn, tenant)
    columns = ("prefix", "name", "scopes", "created", "last used", "expires", "revoked", "replaced by")
    table = Table(*columns, box=None, pad_edge=False)
    for key in found:
        stamps = (f"{at:%Y-%m-%d}" if at else "" for at in (key.expires_at, key.revoked_at))
        used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else ""
        scopes = " ".join(key.scopes)
        created = f"{key.created_at:%Y-%m-%d}"
        table.add_row(key.prefix, key.name, scopes, created, used, *stamps, key.replaced_by or "")
    output.answers().print(table if found else "No keys.")


@app.command()
def rotate(
    prefix: Prefix,
    grace: Annotated[str, typer.Option(help="How long the old key goes on working, such as 12h; 0s ends it.")] = "7d",
) -> None:
    """Make a key like this one, which goes on working for a while; the new key is the last line of stdout."""
    with pool.connect(load_settings(Path.cwd())) as conn:
        rotation = keys.rotate(conn, prefix, times.duration(grace))
    _show(
        rotation.key,
        f"A key in place of {prefix}, which works {_until(rotation.old_expires_at)}. "
        f"The new one is valid {_until(rotation.expires_at)}.",
    )


@app.command()
def revoke(prefix: Prefix) -> None:
    """Make a key worthless at once."""
    with pool.connect(load_settings(Path.cwd())) as conn:
        keys.revoke(conn, prefix)
    output.remark(f"Revoked {prefix}.")


def _until(at: datetime | None) -> str:
    return f"until {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else "until revoked"


def _show(key: str, about: str) -> None:
    output.remark(about)
    output.remark("Keep it now: only its hash is stored.")
    typer.echo(key)
