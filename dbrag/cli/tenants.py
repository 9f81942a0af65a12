"""`dbrag tenants`: make and list tenants, set their weights and budgets, directly in the database."""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dbrag.accounts import budgets, tenants
from dbrag.cli import output
from dbrag.cli.address import load_settings
from dbrag.database import pool

app = typer.Typer(
    no_args_is_help=True, help="Make and list tenants, set their weights and budgets (needs DATABASE_URL)."
)


@app.command()
def create(tenant: Annotated[str, typer.Argument(metavar="NAME", help="Name of the tenant.")]) -> None:
    """Make a tenant without a key, for JWTs that name it; one that stands is left as it is."""
    with pool.connect(load_settings(Path.cwd())) as conn:
        made = tenants.create(conn, tenant)
    output.remark(f"Made the tenant {tenant!r}." if made else f"The tenant {tenant!r} stands already.")


@app.command("list")
def list_tenants() -> None:
    """List tenants, with what waits of theirs, and what they have spent of their budgets."""
    with pool.connect(load_settings(Path.cwd())) as conn:
        found = tenants.list_tenants(conn)
    columns = "tenant", "weight", "jobs that wait", "MiB", "created", "spent today", "spent this month"
    table = Table(*columns, box=None, pad_edge=False)
    for tenant in found:
        size = f"{tenant.waiting_bytes / (1 << 20):,.1f}"
        table.add_row(
            tenant.name,
            str(tenant.weight),
            f"{tenant.waiting_jobs:,}",
            size,
            f"{tenant.created_at:%Y-%m-%d}",
            _spent(tenant.spent_day_usd, tenant.day_usd),
            _spent(tenant.spent_month_usd, tenant.month_usd),
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


@app.command()
def budget(
    tenant: Annotated[str, typer.Argument(metavar="NAME", help="Name of the tenant.")],
    day: Annotated[str | None, typer.Option(metavar="USD", help="US dollars a day (UTC), or `none`.")] = None,
    month: Annotated[str | None, typer.Option(metavar="USD", help="US dollars a month (UTC), or `none`.")] = None,
) -> None:
    """Set what a tenant may spend; what is not given stays. When it is spent, its embedding waits: jobs are `held`."""
    if day is None and month is None:
        raise typer.BadParameter("give --day, --month or both; `none` takes the bound away")
    sent: dict[budgets.Period, str | None] = {"day": day, "month": month}
    changes: dict[budgets.Period, Decimal | None] = {
        period: _usd(said, f"--{period}") for period, said in sent.items() if said is not None
    }
    with pool.connect(load_settings(Path.cwd())) as conn:
        bounds = budgets.put(conn, tenant, changes)
    said = " and ".join(f"{_dollars(usd)} a {period}" for period, usd in bounds.items() if usd is not None)
    output.remark(f"The tenant {tenant!r} may spend {said or 'as much as it wants'}.")


def _usd(said: str, option: str) -> Decimal | None:
    if said == "none":
        return None
    try:
        return Decimal(said)
    except InvalidOperation as exc:
        raise typer.BadParameter(f"{said!r} is no amount of US dollars, nor `none`", param_hint=option) from exc


def _spent(spent: Decimal | None, bound: Decimal | None) -> str:
    return "" if spent is None or bound is None else f"{_dollars(spent)} of {_dollars(bound)}"


def _dollars(usd: Decimal) -> str:
    """To the cent, but for fractions of one."""
    return f"${usd:,.2f}" if usd == round(usd, 2) or usd > 1 else f"${usd:.6f}"
