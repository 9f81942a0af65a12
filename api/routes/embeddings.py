"""Embeddings: ready-made texts, which are not split."""

from typing import cast

from flask import Response, request

from api import batches, items
from api.accepting import accept_items, admit
from api.auth import needs
from api.dry_run import dry_run
from api.inputs import CollectionPath, IngestQuery, JobHeaders, TextInput
from api.openapi import TOO_MUCH_WAITING, blueprint, body, schema
from api.outputs import JobOutput
from api.process import here
from api.request import Request
from api.usage_outputs import CostOutput
from dbrag.accounts.model import Scope
from dbrag.jobs.model import Kind

bp = blueprint("embeddings", "Ready-made texts, embedded as they are.")


@bp.post(
    "/collections/<name>/embeddings",
    responses={200: CostOutput, 202: JobOutput, **TOO_MUCH_WAITING},
    openapi_extensions=body(
        json={"type": "array", "items": schema(TextInput), "minItems": 1, "maxItems": items.MAX_ITEMS},
        ndjson={"type": "string", "description": "One text a line, as in the JSON array."},
    ),
)
@needs(Scope.INGEST)
def post_embeddings(path: CollectionPath, query: IngestQuery, header: JobHeaders) -> Response:
    """Embed up to 2,000 texts as one job. A text that cannot be accepted is a failed item of the job."""
    admit()
    batch = batches.texts(cast(Request, request), TextInput, here().settings.max_item_mb << 20)
    if query.dry_run:
        return dry_run(path.name, Kind.BATCH_EMBED, batch, query.on_conflict)
    return accept_items(path.name, Kind.BATCH_EMBED, query.queue, batch, header, query)
