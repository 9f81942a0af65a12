"""`dry_run=true`: what would be done with items, and what it would cost, instead of doing it."""

from collections.abc import Sequence

from flask import Response

from api import lookup
from api.answers import answer
from api.process import here, runtime
from api.transaction import transaction
from api.usage_outputs import CostOutput
from dbrag.documents import accept, estimate
from dbrag.documents.model import OnConflict, Refusal, Submission
from dbrag.errors import Transient
from dbrag.jobs.model import Kind

# Most take milliseconds.
PATIENCE_S = 0.5


def dry_run(name: str, kind: Kind, items: Sequence[Submission | Refusal], on_conflict: OnConflict) -> Response:
    """Answers 200 within seconds; no transaction is open while the items are split.

    Raises: NotFound; Transient where this process is at another dry run: others need its threads.
    """
    with transaction() as conn:
        collection = lookup.collection(conn, name)
        existing = accept.existing(conn, collection, items, on_conflict)
    process = here()
    if not process.dry_runs.acquire(timeout=PATIENCE_S):
        raise Transient("another dry run is at work here: try again", code="busy", retry_after_s=estimate.BEGIN_S)
    try:
        measured = estimate.measure(collection, kind, items, existing, process.settings)
    finally:
        process.dry_runs.release()
    with transaction() as conn:
        found = estimate.price(conn, runtime().cache, collection, measured, process.settings)
    return answer(CostOutput.model_validate(found, from_attributes=True))
