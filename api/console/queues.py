"""Queues at a glance, and the collections that their jobs are for."""

from flask import Blueprint, render_template

from api import lookup, render
from api.auth import needs
from api.console.forms import choices
from api.process import runtime
from api.transaction import transaction
from dbrag.accounts.model import Scope
from dbrag.jobs import jobs

bp = Blueprint("queues", __name__, url_prefix="/queues")


@bp.get("")
@needs(Scope.READ)
def index() -> str:
    """What waits in each queue, and who listens."""
    with transaction() as conn:
        found = jobs.queues(conn, lookup.tenant_id())
    lengths = runtime().broker.lengths() or {}
    reports = [render.queue(queue, lengths.get(queue.name)) for queue in found]
    return render_template("console/queues.html", queues=reports, collections=choices())
