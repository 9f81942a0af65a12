"""Collections: put, get, list, pause, resume, delete."""

from flask import Response

from api import lookup, render
from api.answers import answer, page
from api.auth import needs
from api.inputs import CollectionInput, CollectionPath, CollectionsQuery, NewCollectionPath, PutCollectionQuery
from api.openapi import blueprint
from api.outputs import CollectionOutput, Page, PutCollectionOutput
from api.process import here, runtime
from api.transaction import transaction
from dbrag.accounts.model import Scope
from dbrag.documents import collections
from dbrag.documents.model import CollectionWish

bp = blueprint("collections", "Sets of documents with one embedding model and chunking policy.")


@bp.put("/collections/<name>", responses={200: PutCollectionOutput, 201: CollectionOutput})
@needs(Scope.MANAGE)
def put_collection(path: NewCollectionPath, query: PutCollectionQuery, body: CollectionInput) -> Response:
    """Create a collection (201), or see that it stands as wished (200).

    Another model, dimensions, storage, m or ef_construction makes all its vectors anew: a job, named in `building` and
    `Location`, does it while the collection serves as it is. With `dry_run=true` the answer is what that would cost
    (`rows`, `texts`, `tokens`, `cost_usd`, `seconds`), and nothing is changed.
    """
    wish = CollectionWish(
        body.model,
        body.dimensions,
        body.storage,
        body.m,
        body.ef_construction,
        **body.chunking.model_dump(),
        language=body.language,
    )
    with transaction() as conn:
        if query.dry_run:
            cost = collections.estimate(conn, lookup.tenant_id(), path.name, wish, here().settings)
            return answer(render.estimate(cost))
        put = collections.put(conn, lookup.tenant_id(), path.name, wish, here().settings)
    response = answer(render.collection(put.collection), status=201 if put.created else 200)
    if put.job:
        runtime().publisher.poke()
        response.headers["Location"] = f"/v1/jobs/{put.job.id}"
    return response


@bp.get("/collections/<name>", responses={200: CollectionOutput})
@needs(Scope.READ)
def get_collection(path: CollectionPath) -> Response:
    """One collection."""
    with transaction() as conn:
        return answer(render.collection(lookup.collection(conn, path.name)))


@bp.get("/collections", responses={200: Page[CollectionOutput]})
@needs(Scope.READ)
def list_collections(query: CollectionsQuery) -> Response:
    """All collections, by name."""
    with transaction() as conn:
        found = collections.page(conn, lookup.tenant_id(), query.cursor, query.limit + 1)
    return page(found, query.limit, lambda last: last.name, render.collection)


@bp.post("/collections/<string:name>:pause", responses={200: CollectionOutput})
@needs(Scope.MANAGE)
def pause_collection(path: CollectionPath) -> Response:
    """Have what is accepted for a collection wait, until it is resumed. Searches and deletions go on."""
    with transaction() as conn:
        return answer(render.collection(collections.pause(conn, lookup.tenant_id(), path.name)))


@bp.post("/collections/<string:name>:resume", responses={200: CollectionOutput})
@needs(Scope.MANAGE)
def resume_collection(path: CollectionPath) -> Response:
    """Let a paused collection go on."""
    with transaction() as conn:
        return answer(render.collection(collections.resume(conn, lookup.tenant_id(), path.name)))


@bp.delete("/collections/<name>", responses={204: None})
@needs(Scope.MANAGE)
def delete_collection(path: CollectionPath) -> Response:
    """Delete a collection with all its documents and vectors."""
    with transaction() as conn:
        collections.delete(conn, lookup.tenant_id(), lookup.collection(conn, path.name).name)
    return Response(status=204)
