"""Documents: one, a batch, get, delete."""

from typing import cast

from flask import Response, request
from pydantic import ValidationError

from api import batches, items, lookup, render, uploads
from api.accepting import accept_items, admit
from api.answers import answer
from api.auth import needs
from api.dry_run import dry_run
from api.faults import invalid
from api.inputs import CollectionPath, DocumentInput, DocumentPath, FileInput, IngestQuery, JobHeaders, SingleInput
from api.openapi import TOO_MUCH_WAITING, blueprint, body, file_form, schema
from api.outputs import DocumentOutput, JobOutput
from api.process import here
from api.request import JSON, MULTIPART, Request
from api.transaction import transaction
from api.usage_outputs import CostOutput
from dbrag.accounts.model import Scope
from dbrag.documents import documents
from dbrag.documents.model import Submission
from dbrag.errors import Fault, TooLarge
from dbrag.jobs.model import Kind, Queue

bp = blueprint("documents", "What is ingested: extracted, split, embedded, found by searches.")
ITEM = schema(DocumentInput)


@bp.post(
    "/collections/<name>/documents",
    responses={200: CostOutput, 202: JobOutput, **TOO_MUCH_WAITING},
    openapi_extensions=body(json=schema(SingleInput), form=file_form(FileInput)),
)
@needs(Scope.INGEST)
def post_document(path: CollectionPath, query: IngestQuery, header: JobHeaders) -> Response:
    """Ingest one document: its text as JSON, or a file.

    One of the same external_id is replaced; or, if `on_conflict` says so, left alone, or the reason for a 409.
    """
    admit()
    sent, queue = _single(cast(Request, request), here().settings.max_item_mb << 20)
    if query.dry_run:
        return dry_run(path.name, Kind.INGEST_DOCUMENT, [sent], query.on_conflict)
    return accept_items(path.name, Kind.INGEST_DOCUMENT, queue or query.queue, [sent], header, query, alone=True)


@bp.post(
    "/collections/<string:name>/documents:batch",
    responses={200: CostOutput, 202: JobOutput, **TOO_MUCH_WAITING},
    openapi_extensions=body(
        json={"type": "array", "items": ITEM, "minItems": 1, "maxItems": items.MAX_ITEMS},
        ndjson={"type": "string", "description": "One document a line, as in the JSON array."},
        form={"type": "object", "description": "Files, each named by its filename."},
    ),
)
@needs(Scope.INGEST)
def post_batch(path: CollectionPath, query: IngestQuery, header: JobHeaders) -> Response:
    """Ingest up to 2,000 documents as one job. A document that cannot be accepted is a failed item of the job."""
    admit()
    batch = batches.documents(cast(Request, request), DocumentInput, here().settings.max_item_mb << 20)
    if query.dry_run:
        return dry_run(path.name, Kind.INGEST_DOCUMENT, batch, query.on_conflict)
    return accept_items(path.name, Kind.INGEST_DOCUMENT, query.queue, batch, header, query)


@bp.get("/collections/<name>/documents/<external_id:external_id>", responses={200: DocumentOutput})
@needs(Scope.READ)
def get_document(path: DocumentPath) -> Response:
    """The live version of a document, or the newest one where none is live yet."""
    with transaction() as conn:
        collection = lookup.collection(conn, path.name)
        return answer(render.document(documents.get(conn, collection, lookup.external_id(path.external_id))))


@bp.delete("/collections/<name>/documents/<external_id:external_id>", responses={204: None})
@needs(Scope.INGEST)
def delete_document(path: DocumentPath) -> Response:
    """Delete a document: searches no longer find it."""
    with transaction() as conn:
        documents.delete(conn, lookup.collection(conn, path.name), lookup.external_id(path.external_id))
    return Response(status=204)


def _single(request: Request, max_bytes: int) -> tuple[Submission, Queue | None]:
    if request.mimetype_among(JSON, MULTIPART) == MULTIPART:
        file, fields = uploads.single(request, max_bytes)
        return file, fields.queue
    try:
        sent = SingleInput.model_validate(request.get_json())
    except ValidationError as error:
        raise invalid(error) from error
    if items.is_too_large(sent.text, max_bytes):
        faults = (Fault("/text", "is too large"),)
        raise TooLarge(f"the text is larger than {max_bytes >> 20} MiB: split it", faults=faults)
    return items.submission(sent), sent.queue
