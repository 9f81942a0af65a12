"""Usage: what a tenant spent."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Response

from api import lookup
from api import usage_outputs as outputs
from api.answers import answer
from api.auth import needs
from api.inputs import UsageQuery
from api.openapi import blueprint
from api.transaction import transaction
from dbrag.accounts import budgets, usage
from dbrag.accounts.model import Scope
from dbrag.accounts.usage import By, Spent
from dbrag.errors import Fault, Invalid

bp = blueprint("usage", "What was spent, and what may be.")
SPAN = timedelta(days=30)


@bp.get("/usage", responses={200: outputs.UsageReportOutput})
@needs(Scope.READ)
def get_usage(query: UsageQuery) -> Response:
    """What was spent by day, model, collection, job or kind of job, in all, and of the budget.

    By job there are pages, newest first; searches belong to no job, and are in `total` only.
    """
    since, until = span(query)
    if query.cursor and query.by is not By.JOB:
        raise Invalid("only `by=job` has pages", faults=(Fault("?cursor", "must be left out, or `by` be `job`"),))
    tenant_id = lookup.tenant_id()
    with transaction() as conn:
        found, whole = usage.total(conn, tenant_id, query.by, since, until)
        if query.by is By.JOB:
            found = usage.of_jobs(conn, tenant_id, since, until, before=query.cursor, limit=query.limit + 1)
        budget = budgets.find(conn, tenant_id)
    shown = found[: query.limit] if query.by is By.JOB else found
    has_more = len(found) > len(shown)
    return answer(
        outputs.UsageReportOutput(
            since=since,
            until=until,
            data=[ROWS[query.by](row) for row in shown],
            has_more=has_more,
            next_cursor=shown[-1].name if has_more else None,
            total=outputs.SpentOutput(**_amounts(whole)),
            budget=outputs.BudgetOutput.model_validate(budget, from_attributes=True) if budget else None,
        )
    )


def span(query: UsageQuery) -> tuple[datetime, datetime]:
    """From when, and before when. Raises: Invalid."""
    until = query.until or datetime.now(UTC)
    since = query.since or _days_before(until)
    if since >= until:
        raise Invalid("`since` must be before `until`", faults=(Fault("?since", "must be before `until`"),))
    return since, until


def _days_before(until: datetime) -> datetime:
    try:
        return (until - SPAN).replace(hour=0, minute=0, second=0, microsecond=0)
    except OverflowError:  # in the year 1
        return datetime.min.replace(tzinfo=UTC)


def _amounts(row: Spent) -> dict[str, Any]:
    return {name: getattr(row, name) for name in outputs.SpentOutput.model_fields}


ROWS: dict[By, Callable[[Spent], Any]] = {
    By.DAY: lambda row: outputs.DayOutput(day=date.fromisoformat(row.name or ""), **_amounts(row)),
    By.MODEL: lambda row: outputs.ModelOutput(model=row.name or "", **_amounts(row)),
    By.COLLECTION: lambda row: outputs.CollectionSpentOutput(
        collection=row.name, about=row.about or "deleted", **_amounts(row)
    ),
    By.JOB: lambda row: outputs.JobSpentOutput(job_id=UUID(row.name), **_amounts(row)),
    By.KIND: lambda row: outputs.KindOutput(kind=row.name or "", **_amounts(row)),
}
