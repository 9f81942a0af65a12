"""Queues: what waits in each."""

from flask import Response

from api import lookup, render
from api.answers import answer
from api.auth import needs
from api.openapi import blueprint
from api.outputs import Listing, QueueOutput
from api.process import runtime
from api.transaction import transaction
from dbrag.accounts.model import Scope
from dbrag.jobs import jobs

bp = blueprint("queues", "Where jobs wait, most urgent first.")


@bp.get("/queues", responses={200: Listing[QueueOutput]})
@needs(Scope.READ)
def list_queues() -> Response:
    """Jobs and texts of the tenant in each queue, and the messages of all tenants."""
    with transaction() as conn:
        found = jobs.queues(conn, lookup.tenant_id())
    lengths = runtime().broker.lengths() or {}
    return answer(Listing[QueueOutput](data=[render.queue(queue, lengths.get(queue.name)) for queue in found]))
