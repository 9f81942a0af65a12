"""The pages of jobs: a list, and all that one look at a job tells. While work goes on, fragments of them replace it."""

from typing import Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from pydantic import ConfigDict, Field

from api import lookup, render
from api.accepting import admit, once
from api.auth import needs
from api.console.forms import choices, read
from api.inputs import JobHeaders, JobsQuery, Parameters
from api.transaction import transaction
from dbrag.accounts.model import Scope
from dbrag.documents import collections
from dbrag.jobs import jobs, line
from dbrag.jobs.model import ItemStatus, Kind, Queue, Status

bp = Blueprint("jobs", __name__, url_prefix="/jobs")
JOBS_ON_A_PAGE, ITEMS_ON_A_PAGE = 25, 25
PLAIN = JobHeaders.model_validate({})


class ItemsShown(Parameters):
    """Which items of a job a page shows."""

    model_config = ConfigDict(extra="forbid")

    items: Literal["failed", "all"] = "failed"
    cursor: int | None = Field(None, ge=0, le=2**31 - 1)


@bp.get("")
@needs(Scope.READ)
def index() -> str:
    """Jobs that match the filters, newest first."""
    offers = {"statuses": list(Status), "kinds": list(Kind), "queues": list(Queue)}
    return render_template("console/jobs.html", **_page(), **offers)


@bp.get("/fragment")
@needs(Scope.READ)
def index_fragment() -> str:
    """What of this list changes."""
    return render_template("console/_jobs.html", **_page())


@bp.get("/<uuid:job_id>")
@needs(Scope.READ)
def show(job_id: UUID) -> str:
    """One job."""
    return render_template("console/job.html", **_job(job_id))


@bp.get("/<uuid:job_id>/fragment")
@needs(Scope.READ)
def show_fragment(job_id: UUID) -> str:
    """What of this page changes."""
    return render_template("console/_job.html", **_job(job_id))


@bp.post("/<uuid:job_id>/retry")
@needs(Scope.INGEST)
def retry(job_id: UUID) -> Response:
    """Try the failed items again."""
    admit()
    once(PLAIN, lambda conn: jobs.retry(conn, lookup.tenant_id(), job_id))
    return to_job(job_id)


@bp.post("/<uuid:job_id>/cancel")
@needs(Scope.INGEST)
def cancel(job_id: UUID) -> Response:
    """Cancel a job."""
    once(PLAIN, lambda conn: jobs.cancel(conn, lookup.tenant_id(), job_id))
    return to_job(job_id)


def to_job(job_id: UUID) -> Response:
    """Leads to the page of a job."""
    return make_response(redirect(url_for("console.jobs.show", job_id=job_id), 303))


def _page() -> dict[str, Any]:
    query = read(JobsQuery, {"limit": str(JOBS_ON_A_PAGE), **request.args})
    standing = choices() or []
    with transaction() as conn:
        filters = lookup.filters(conn, query)
        found = jobs.page(conn, lookup.tenant_id(), filters, before=query.cursor, limit=query.limit + 1)
    shown = found[: query.limit]
    names = {collection.id: collection.name for collection in standing}
    return {
        "query": query,
        "jobs": [(render.job(job), names.get(job.collection_id or 0)) for job in shown],
        "collections": standing,
        "live": _address(url_for(".index_fragment"), query),
        "newest": _address(url_for(".index"), query, cursor=None) if query.cursor else None,
        "older": _address(url_for(".index"), query, cursor=shown[-1].id) if len(found) > query.limit else None,
    }


def _address(path: str, query: Parameters, **changed: object) -> str:
    asked = query.model_dump(mode="json", exclude_defaults=True) | changed
    return f"{path}?{urlencode({name: value for name, value in asked.items() if value is not None})}"


def _job(job_id: UUID) -> dict[str, Any]:
    query = read(ItemsShown, request.args)
    status = ItemStatus.FAILED if query.items == "failed" else None
    with transaction() as conn:
        job = jobs.get(conn, lookup.tenant_id(), job_id, line.DEPTH)
        found = jobs.items(
            conn, lookup.tenant_id(), job_id, status=status, after=query.cursor, limit=ITEMS_ON_A_PAGE + 1
        )
        collection = collections.by_id(conn, job.collection_id) if job.collection_id else None
    shown = found[:ITEMS_ON_A_PAGE]
    return {
        "job": render.job(job),
        "collection": collection,
        "items": [render.item(item) for item in shown],
        "query": query,
        "live": _address(url_for(".show_fragment", job_id=job_id), query),
        "more": _address(url_for(".show", job_id=job_id), query, cursor=shown[-1].index)
        if len(found) > ITEMS_ON_A_PAGE
        else None,
    }
