"""Jobs: list, get, items, cancel, retry."""

from flask import Response

from api import lookup, render
from api.answers import accepted, answer, job_body, page
from api.auth import needs
from api.inputs import ItemsQuery, JobHeaders, JobPath, JobsQuery
from api.openapi import blueprint
from api.outputs import ItemOutput, JobOutput, Page
from api.process import runtime
from dbrag.accounts.model import Scope
from dbrag.jobs import jobs

bp = blueprint("jobs", "What was accepted, and how far it is.")


@bp.get("/jobs", responses={200: Page[JobOutput]})
@needs(Scope.READ)
def list_jobs(query: JobsQuery) -> Response:
    """Jobs that match all the filters, newest first."""
    with runtime().pool.connection() as conn:
        found = jobs.page(
            conn,
            lookup.tenant_id(),
            status=query.status,
            kind=query.kind,
            queue=query.queue,
            collection_id=lookup.collection(conn, query.collection).id if query.collection is not None else None,
            before=query.cursor,
            limit=query.limit + 1,
        )
    return page(found, query.limit, lambda last: last.id, job_body)


@bp.get("/jobs/<uuid:job_id>", responses={200: JobOutput})
@needs(Scope.READ)
def get_job(path: JobPath) -> Response:
    """One job."""
    with runtime().pool.connection() as conn:
        return answer(job_body(jobs.get(conn, lookup.tenant_id(), path.job_id)))


@bp.get("/jobs/<uuid:job_id>/items", responses={200: Page[ItemOutput]})
@needs(Scope.READ)
def list_items(path: JobPath, query: ItemsQuery) -> Response:
    """The documents or texts of a job, in the order they were sent in."""
    with runtime().pool.connection() as conn:
        found = jobs.items(
            conn, lookup.tenant_id(), path.job_id, status=query.status, after=query.cursor, limit=query.limit + 1
        )
    return page(found, query.limit, lambda last: last.index, render.item)


@bp.post("/jobs/<uuid:job_id>:cancel", responses={202: JobOutput})
@needs(Scope.INGEST)
def cancel_job(path: JobPath, header: JobHeaders) -> Response:
    """Cancel a job: what is done stays, the rest is not begun."""
    with runtime().pool.connection() as conn:
        job = jobs.cancel(conn, lookup.tenant_id(), path.job_id)
    return accepted(job, header)


@bp.post("/jobs/<uuid:job_id>:retry", responses={202: JobOutput})
@needs(Scope.INGEST)
def retry_job(path: JobPath, header: JobHeaders) -> Response:
    """Try the failed items of a job again."""
    with runtime().pool.connection() as conn:
        job = jobs.retry(conn, lookup.tenant_id(), path.job_id)
    return accepted(job, header)
