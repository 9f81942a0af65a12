"""Jobs: list, get, items, events, cancel, move, retry."""

from flask import Response

from api import lookup, openapi, render, streams
from api.accepting import admit, once
from api.answers import accepted, answer, page, unless_known
from api.auth import needs
from api.inputs import (
    ConditionHeaders,
    EventsHeaders,
    ItemsQuery,
    JobHeaders,
    JobPath,
    JobsQuery,
    MoveInput,
    RetryInput,
)
from api.openapi import blueprint
from api.outputs import ItemOutput, JobOutput, Page, RetriedOutput
from api.process import here, runtime
from api.transaction import transaction
from dbrag.accounts.model import Scope
from dbrag.jobs import dead_letters, jobs, line, moves

bp = blueprint("jobs", "What was accepted, and how far it is.")


@bp.get("/jobs", responses={200: Page[JobOutput]})
@needs(Scope.READ)
def list_jobs(query: JobsQuery) -> Response:
    """Jobs that match all the filters, newest first."""
    with transaction() as conn:
        found = jobs.page(
            conn,
            lookup.tenant_id(),
            lookup.filters(conn, query),
            before=query.cursor,
            limit=query.limit + 1,
        )
    return page(found, query.limit, lambda last: last.id, render.job)


@bp.get("/jobs/<uuid:job_id>", responses={200: JobOutput, 304: openapi.NOT_MODIFIED})
@needs(Scope.READ)
def get_job(path: JobPath, header: ConditionHeaders) -> Response:
    """One job. Its ETag stays while nothing of it changes but the time to go."""
    with transaction() as conn:
        job = render.job(jobs.get(conn, lookup.tenant_id(), path.job_id, line.DEPTH))
    return unless_known(answer(job), render.version(job))


@bp.get("/jobs/<uuid:job_id>/items", responses={200: Page[ItemOutput], 304: openapi.NOT_MODIFIED})
@needs(Scope.READ)
def list_items(path: JobPath, query: ItemsQuery, header: ConditionHeaders) -> Response:
    """The documents or texts of a job, in the order they were sent in."""
    with transaction() as conn:
        found = jobs.items(
            conn, lookup.tenant_id(), path.job_id, status=query.status, after=query.cursor, limit=query.limit + 1
        )
    return unless_known(page(found, query.limit, lambda last: last.index, render.item))


@bp.get("/jobs/<uuid:job_id>/events", responses={200: openapi.EVENT_STREAM, 503: openapi.TOO_MANY_STREAMS})
@needs(Scope.READ)
def job_events(path: JobPath, header: EventsHeaders) -> Response:
    """What happens to a job, as server-sent events until it is over; every 15 s a comment.

    A stream may end before: then ask again with `Last-Event-ID`, as browsers do by themselves.
    """
    with transaction() as conn:
        job = jobs.get(conn, lookup.tenant_id(), path.job_id)
    return streams.of_job(job, header.last_event_id)


@bp.post("/jobs/<uuid:job_id>:cancel", responses={202: JobOutput})
@needs(Scope.INGEST)
def cancel_job(path: JobPath, header: JobHeaders) -> Response:
    """Cancel a job: what is done stays, the rest is not begun."""
    return once(header, lambda conn: jobs.cancel(conn, lookup.tenant_id(), path.job_id))


@bp.post("/jobs/<uuid:job_id>:retry", responses={202: JobOutput})
@needs(Scope.INGEST)
def retry_job(path: JobPath, header: JobHeaders) -> Response:
    """Try the failed items of a job again."""
    admit()
    return once(header, lambda conn: jobs.retry(conn, lookup.tenant_id(), path.job_id))


@bp.post("/jobs/<uuid:job_id>:reprioritise", responses={202: JobOutput})
@needs(Scope.INGEST)
def reprioritise_job(path: JobPath, header: JobHeaders, body: MoveInput) -> Response:
    """Move a job that is not over to another queue, with those of its texts that wait."""
    return accepted(moves.reprioritise(runtime().pool, lookup.tenant_id(), path.job_id, body.queue), header)


@bp.post("/jobs:retry", responses={202: RetriedOutput})
@needs(Scope.INGEST)
def retry_jobs(body: RetryInput) -> Response:
    """Try the failed items of all jobs again that match all filters, oldest job first.

    `GET /v1/jobs` with the same filters shows them before. What was refused when it was sent, and an index that was not
    built, cannot be tried again and matches nothing.
    """
    with transaction() as conn:
        filters = lookup.filters(conn, body)
    here().backlog.check(runtime().pool, lookup.tenant_id(), 0)
    retried = dead_letters.retry_matching(runtime().pool, lookup.tenant_id(), filters, body.limit, body.cursor)
    runtime().publisher.poke()
    shown = RetriedOutput(
        data=[render.job(job) for job in retried.jobs],
        retried=len(retried.jobs),
        skipped=retried.skipped,
        has_more=retried.next_after is not None,
        next_cursor=str(retried.next_after) if retried.next_after else None,
    )
    return answer(shown, status=202)
