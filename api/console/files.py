"""Sending files from the console: a plain form, whose files become one job."""

from typing import cast
from uuid import UUID, uuid4

from flask import Blueprint, Response, make_response, render_template, request

from api import items, lookup, uploads
from api.accepting import accept_items, admit
from api.auth import needs
from api.console.forms import choices, read
from api.console.jobs import to_job
from api.console.navigation import may
from api.fields import Line
from api.inputs import IngestQuery, JobHeaders, NewCollectionPath
from api.process import here
from api.request import MULTIPART, Request
from api.transaction import transaction
from dbrag.accounts.model import Scope
from dbrag.documents import collections
from dbrag.documents.model import CollectionWish, OnConflict
from dbrag.errors import Fault, Forbidden, Invalid
from dbrag.jobs.model import Kind, Queue

bp = Blueprint("files", __name__, url_prefix="/files")


class FilesForm(IngestQuery):
    """The fields beside the files. `sending` is made for each form that is shown: sent twice, it makes one job."""

    collection: Line | None = None
    new_collection: Line | None = None
    sending: UUID


@bp.get("")
@needs(Scope.INGEST)
def form(accepted: UUID | None = None) -> str:
    """Where files are dropped."""
    return render_template(
        "console/files.html",
        accepted=accepted,
        collections=choices(),
        chosen=request.args.get("collection"),
        queues=list(Queue),
        on_conflict=list(OnConflict),
        sending=uuid4(),
        settings=here().settings,
        max_items=items.MAX_ITEMS,
    )


@bp.post("")
@needs(Scope.INGEST)
def send() -> Response:
    """Accept the files as a job, and show it."""
    admit()
    asked = cast(Request, request)
    asked.mimetype_among(MULTIPART)
    sent, files = uploads.chosen(asked, here().settings.max_item_mb << 20)
    fields = read(FilesForm, sent)
    batch = items.checked_batch(files)
    header = JobHeaders.model_validate({"Idempotency-Key": str(fields.sending)})
    answer = accept_items(_collection(fields), Kind.INGEST_DOCUMENT, fields.queue, batch, header, fields)
    job_id = UUID(answer.headers["Location"].rpartition("/")[2])
    return to_job(job_id) if may(Scope.READ) else make_response(form(job_id))


def _collection(fields: FilesForm) -> str:
    """The name of the collection that was chosen, or of the one that was named and is made unless it stands."""
    if not fields.new_collection:
        if not fields.collection:
            raise Invalid("choose a collection", faults=(Fault("/collection", "is required"),))
        return fields.collection
    if not may(Scope.MANAGE):
        raise Forbidden("a new collection needs a key with the scope `manage`: choose one that stands")
    name = read(NewCollectionPath, {"name": fields.new_collection}).name
    with transaction() as conn:
        collections.put(conn, lookup.tenant_id(), name, CollectionWish(), here().settings)
    return name
