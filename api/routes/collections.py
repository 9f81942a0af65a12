"""Collections: put, get, list, delete."""

from flask import Response

from api import lookup, render
from api.answers import answer, page
from api.auth import needs
from api.inputs import CollectionInput, CollectionPath, CollectionsQuery, NewCollectionPath
from api.openapi import blueprint
from api.outputs import CollectionOutput, Page
from api.process import here, runtime
from dbrag.accounts.model import Scope
from dbrag.documents import collections
from dbrag.documents.model import CollectionWish

bp = blueprint("collections", "Sets of documents with one embedding model and chunking policy.")


@bp.put("/collections/<name>", responses={200: CollectionOutput, 201: CollectionOutput})
@needs(Scope.MANAGE)
def put_collection(path: NewCollectionPath, body: CollectionInput) -> Response:
    """Create a collection (201), or see that it stands as wished (200)."""
    wish = CollectionWish(body.model, body.dimensions, body.storage, **body.chunking.model_dump())
    with runtime().pool.connection() as conn:
        found, created = collections.put(conn, lookup.tenant_id(), path.name, wish, here().settings)
    return answer(render.collection(found), status=201 if created else 200)


@bp.get("/collections/<name>", responses={200: CollectionOutput})
@needs(Scope.READ)
def get_collection(path: CollectionPath) -> Response:
    """One collection."""
    with runtime().pool.connection() as conn:
        return answer(render.collection(lookup.collection(conn, path.name)))


@bp.get("/collections", responses={200: Page[CollectionOutput]})
@needs(Scope.READ)
def list_collections(query: CollectionsQuery) -> Response:
    """All collections, by name."""
    with runtime().pool.connection() as conn:
        found = collections.page(conn, lookup.tenant_id(), query.cursor, query.limit + 1)
    return page(found, query.limit, lambda last: last.name, render.collection)


@bp.delete("/collections/<name>", responses={204: None})
@needs(Scope.MANAGE)
def delete_collection(path: CollectionPath) -> Response:
    """Delete a collection with all its documents and vectors."""
    with runtime().pool.connection() as conn:
        collections.delete(conn, lookup.tenant_id(), lookup.collection(conn, path.name).name)
    return Response(status=204)
