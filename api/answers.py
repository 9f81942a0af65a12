"""How a view answers: a model as JSON, a page of a list, a job that was accepted."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from flask import Response, request
from pydantic import BaseModel

from api import render, waiting
from api.inputs import JobHeaders
from api.outputs import Page
from api.process import runtime
from dbrag.jobs.model import Job

T = TypeVar("T")


def answer(body: BaseModel, status: int = 200) -> Response:
    return Response(body.model_dump_json(by_alias=True), status, mimetype="application/json")


def page(found: Sequence[T], limit: int, cursor: Callable[[T], object], rendered: Callable[[T], BaseModel]) -> Response:
    """A page of `limit` entries, of which the caller has asked for one more to see whether there are more."""
    shown, has_more = found[:limit], len(found) > limit
    next_cursor = str(cursor(shown[-1])) if has_more else None
    return answer(Page[Any](data=[rendered(entry) for entry in shown], has_more=has_more, next_cursor=next_cursor))


def unless_known(response: Response, version: str | None = None) -> Response:
    """304 without a body where the client has this version already (RFC 9110, 13.1.2); None: the body is the version.

    The tag is weak, since bodies of one version may differ in what passes by itself.
    """
    response.headers["Cache-Control"] = "private, no-cache"  # keep it, but ask
    if version:
        response.set_etag(version, weak=True)
    else:
        response.add_etag(weak=True)
    response.make_conditional(request)
    return response


def accepted(job: Job, header: JobHeaders) -> Response:
    """The 202 for a job whose transaction has been committed; waits for its end first where that is preferred."""
    runtime().publisher.poke()
    seconds = waiting.preferred_s(header.prefer)
    job, waited = waiting.until_final(job, seconds)
    response = job_answer(job.id, job_body(job))
    if waited:
        response.headers["Preference-Applied"] = f"wait={seconds:.0f}"
    return response


def job_body(job: Job) -> str:
    """A job's body, as JSON."""
    return render.job(job).model_dump_json(by_alias=True)


def job_answer(job_id: UUID, body: str) -> Response:
    """The 202 with a job's body, as JSON."""
    response = Response(body, 202, mimetype="application/json")
    response.headers["Location"] = f"/v1/jobs/{job_id}"
    response.headers["Retry-After"] = "1"
    return response
