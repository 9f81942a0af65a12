"""From a request to an accepted job, once however often it is sent; or a refusal, since too much waits."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import cast

from flask import Response, request

from api import lookup, waiting
from api.answers import accepted, job_answer, job_body
from api.inputs import IngestQuery, JobHeaders
from api.process import here, runtime
from api.request import Request
from api.transaction import transaction
from dbrag.database.pool import Connection
from dbrag.documents.accept import accept, size
from dbrag.documents.model import Refusal, Submission
from dbrag.errors import Conflict
from dbrag.jobs import idempotency, jobs
from dbrag.jobs.model import Job, Kind, Queue


def admit() -> None:
    """Called by a view before it reads the body, so that refusing one of 64 MiB costs nothing.

    Raises: TooMuchWaiting, Transient.
    """
    here().backlog.check(runtime().pool, lookup.tenant_id(), request.content_length or 0)


def accept_items(
    name: str,
    kind: Kind,
    queue: Queue,
    items: Sequence[Submission | Refusal],
    header: JobHeaders,
    query: IngestQuery,
    *,
    alone: bool = False,
) -> Response:
    """Commits the items as a job of the collection `name`, and answers 202. One that came `alone` is refused instead
    of being a failed item.

    Raises: NotFound, Conflict; TooMuchWaiting, Transient: a body without Content-Length is known only now, and others
    may have been faster while this one was read. As `once`.
    """
    coming = size(items)
    here().backlog.check(runtime().pool, lookup.tenant_id(), coming)

    def make(conn: Connection) -> Job:
        job = accept(conn, lookup.collection(conn, name), kind, queue, items, query.on_conflict)
        if alone and job.error:
            raise Conflict(job.error["detail"], code=job.error["code"])
        return job

    return once(header, make, coming)


def once(header: JobHeaders, make: Callable[[Connection], Job], coming: int = 0) -> Response:
    """Commits the job that `make` makes in its transaction, of `coming` bytes, and answers 202.

    Where its Idempotency-Key was used before, nothing is made, and the answer is the first one; or, where it is to wait
    for the job's end, the job as it is then. To be called when the body has been read.
    Raises: InFlight, Invalid (the key was used for something else).
    """
    asked = _named(header)
    with transaction() as conn:
        done = (idempotency.begin(conn, asked) if asked else None) or _make(conn, make, asked)
    if isinstance(done, idempotency.First):
        return _replayed(done, header)
    here().backlog.add(done.tenant_id, coming)
    return accepted(done, header)


def _make(conn: Connection, make: Callable[[Connection], Job], asked: idempotency.Request | None) -> Job:
    """The job, and the first answer for whoever asks again, in one transaction."""
    job = make(conn)
    if asked:
        idempotency.keep(conn, asked, idempotency.First(job.id, job_body(job)))
    return job


def _replayed(first: idempotency.First, header: JobHeaders) -> Response:
    if waiting.preferred_s(header.prefer) > 0:
        with transaction() as conn:
            job = jobs.get(conn, lookup.tenant_id(), first.job_id)
        response = accepted(job, header)
    else:
        response = job_answer(*first)
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _named(header: JobHeaders) -> idempotency.Request | None:
    """This request under the name that its sender gave it."""
    if header.idempotency_key is None:
        return None
    content = sha256(request.query_string + b"\n" + cast(Request, request).digest.digest())
    route = f"{request.method} {request.path}"
    return idempotency.Request(lookup.tenant_id(), route, header.idempotency_key, content.digest())
