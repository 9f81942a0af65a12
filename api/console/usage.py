"""What was spent: by day, or by something else, beside the budget."""

from flask import Blueprint, render_template, request

from api import lookup
from api.auth import needs
from api.console.forms import read
from api.inputs import UsageQuery
from api.routes.usage import span
from api.transaction import transaction
from dbrag.accounts import budgets, usage
from dbrag.accounts.model import Scope
from dbrag.accounts.usage import By

bp = Blueprint("usage", __name__, url_prefix="/usage")
# By job, the list of jobs says it.
SHOWN_BY = (By.DAY, By.MODEL, By.COLLECTION, By.KIND)


@bp.get("")
@needs(Scope.READ)
def index() -> str:
    """Thirty days, if nothing else is asked for; the bars are of tokens, since local models cost nothing."""
    query = read(UsageQuery, request.args)
    since, until = span(query)
    with transaction() as conn:
        rows, whole = usage.total(conn, lookup.tenant_id(), query.by, since, until)
        budget = budgets.find(conn, lookup.tenant_id())
    return render_template(
        "console/usage.html",
        query=query,
        shown_by=SHOWN_BY,
        since=since,
        rows=rows,
        total=whole,
        most=max((row.prompt_tokens for row in rows), default=0),
        budget=budget,
    )
