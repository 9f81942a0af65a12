"""From items to an accepted job, the same for one document and for many; or a refusal, since too much waits."""

from collections.abc import Sequence

from flask import Response, request

from api import lookup
from api.answers import accepted, refuse_idempotency_key
from api.inputs import JobHeaders
from api.process import here, runtime
from api.transaction import transaction
from dbrag.documents.accept import accept, size
from dbrag.documents.model import Refusal, Submission
from dbrag.jobs.model import Kind, Queue


def admit(header: JobHeaders) -> None:
    """Called by a view before it reads the body, so that refusing one of 64 MiB costs nothing.

    Raises: NotAvailable; TooMuchWaiting, Transient.
    """
    refuse_idempotency_key(header)
    here().backlog.check(runtime().pool, lookup.tenant_id(), request.content_length or 0)


def accept_items(
    name: str, kind: Kind, queue: Queue, items: Sequence[Submission | Refusal], header: JobHeaders
) -> Response:
    """Commits the items as a job of the collection `name`, and answers 202.

    Raises: NotFound; TooMuchWaiting, Transient: a body without Content-Length is known only now, and others may have
    been faster while this one was read.
    """
    coming = size(items)
    here().backlog.check(runtime().pool, lookup.tenant_id(), coming)
    with transaction() as conn:
        job = accept(conn, lookup.collection(conn, name), kind, queue, items)
    here().backlog.add(job.tenant_id, coming)
    return accepted(job, header)
