"""What a tenant may spend in a day and in a month: set by the operator, asked before more is spent."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

from psycopg.rows import class_row
from pydantic.dataclasses import dataclass

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.errors import Fault, Invalid, NotFound, Transient

SQL = beside(__file__)
Period: TypeAlias = Literal["day", "month"]
PERIODS: tuple[Period, Period] = ("day", "month")
MAX_USD = 10_000_000
# Work that nobody wakes when the budget is raised looks again after so many seconds.
LOOK_AGAIN_S = 60.0


class BudgetSpent(Transient):
    """The tenant has spent its budget: what costs waits until the day or month is over, or it is raised."""

    code = "budget"


@dataclass(frozen=True, slots=True)
class Budget:
    """In US dollars; None: no bound. Days and months are UTC's; `resets_at` is when what binds first begins anew.

    `detail` is for whoever waits, where it `is_spent`.
    """

    day_usd: float | None
    month_usd: float | None
    spent_day_usd: float
    spent_month_usd: float
    is_spent: bool
    resets_at: datetime
    detail: str


def find(conn: Connection, tenant_id: UUID) -> Budget | None:
    """How a tenant with a budget stands; None for one without."""
    with conn.cursor(row_factory=class_row(Budget)) as cursor:
        return cursor.execute(SQL.find_budget, {"tenant_id": tenant_id}).fetchone()


def check(conn: Connection, tenant_id: UUID) -> None:
    """Raises: BudgetSpent."""
    budget = find(conn, tenant_id)
    if budget and budget.is_spent:
        raise BudgetSpent(budget.detail, retry_after_s=LOOK_AGAIN_S)


def put(conn: Connection, name: str, changes: Mapping[Period, Decimal | None]) -> dict[Period, Decimal | None]:
    """Sets bounds of a tenant, from now on, and returns all of them; None: no bound. Raises: Invalid, NotFound."""
    for period, usd in changes.items():
        if usd is not None and not (usd.is_finite() and 0 <= usd <= MAX_USD):
            detail = f"must be 0 to {MAX_USD:,} US dollars a {period}, not {usd}"
            raise Invalid(f"a tenant's budget {detail}", faults=(Fault(f"/{period}_usd", detail),))
    asked = {f"{period}_usd": changes.get(period) for period in PERIODS}
    given = {f"gives_{period}": period in changes for period in PERIODS}
    row = conn.execute(SQL.set_budget, {"name": name} | asked | given).fetchone()
    if row is None:
        raise NotFound(f"there is no tenant {name!r}: see `dbrag tenants list`")
    return dict(zip(PERIODS, row, strict=True))
