"""`dbrag tenants`: make and list tenants and set their weights, directly in the database."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dbrag.accounts import tenants
from dbrag.cli import output
from dbrag.cli.address import load_settings
from dbrag.database import pool

app = typer.Typer(
    no_args_is_help=True, help="Make and list tenants, set their share of the workers (needs DATABASE_URL)."
)


@app.command()
def create(tenant: Annotated[str, typer.Argument(metavar="NAME", help="Name of the tenant.")]) -> None:
    """Make a tenant without a key, for JWTs that name it; one that stands is left as it is."""
    with pool.connect(load_settings(Path.cwd())) as conn:
        made = tenants.create(conn, tenant)
    output.remark(f"Made the tenant {tenant!r}." if made else f"The tenant {tenant!r} stands already.")


@app.command("list")
def list_tenants() -> None:
    """List tenants, with what waits of theirs."""
    with pool.connect(load_settings(Path.cwd())) as conn:
        found = tenants.list_tenants(conn)
    table = Table("tenant", "weight", "jobs that wait", "MiB", "created", box=None, pad_edge=False)
    for tenant in found:
        size = f"{tenant.waiting_bytes / (1 << 20):,.1f}"
        table.add_row(
            tenant.name, str(tenant.weight), f"{tenant.waiting_jobs:,}", size, f"{tenant.created_at:%Y-%m-%d}"
        )
    output.answers().print(table if found else "No tenants.")


@app.command()
def weight(
    tenant: Annotated[str, typer.Argument(metavar="NAME", help="Name of the tenant.")],
    turns: Annotated[int, typer.Argument(metavar="N", min=1, max=tenants.MAX_WEIGHT, help="Turns; 1 at first.")],
) -> None:
    """Set how many turns a tenant gets where others that wait in the same queue get one."""
    with pool.connect(load_settings(Path.cwd())) as conn:
        tenants.set_weight(conn, tenant, turns)
    output.remark(f"The tenant {tenant!r} has the weight {turns}.")
