"""From items to an accepted job, the same for one document and for many."""

from collections.abc import Sequence

from flask import Response

from api import lookup
from api.answers import accepted
from api.inputs import JobHeaders
from api.process import runtime
from dbrag.documents.accept import accept
from dbrag.documents.model import Refusal, Submission
from dbrag.jobs.model import Kind, Queue


def accept_items(
    name: str, kind: Kind, queue: Queue, items: Sequence[Submission | Refusal], header: JobHeaders
) -> Response:
    """Commits the items as a job of the collection `name`, and answers 202. Raises: NotFound."""
    with runtime().pool.connection() as conn:
        job = accept(conn, lookup.collection(conn, name), kind, queue, items)
    return accepted(job, header)
