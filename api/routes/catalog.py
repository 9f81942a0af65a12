"""The catalog's answers: which tables a question is about, and whether tables or documents answer it."""

from flask import Response

from api import catalog_render, lookup
from api.answers import answer
from api.auth import needs
from api.catalog_inputs import RouteInput, SearchCatalogInput
from api.catalog_outputs import RouteOutput, TablesFoundOutput
from api.openapi import blueprint
from api.process import runtime
from dbrag.accounts.model import Scope
from dbrag.catalog.route import route
from dbrag.catalog.search import search_catalog

bp = blueprint("catalog", "Which table, or which document, answers a question.")


@bp.post("/catalog/search", responses={200: TablesFoundOutput})
@needs(Scope.SEARCH)
def post_catalog_search(body: SearchCatalogInput) -> Response:
    """The tables that answer a question, best first, with the columns that speak of it and the joins among them."""
    found = search_catalog(runtime(), lookup.tenant_id(), body.query, body.connections, body.limit, body.mode)
    return answer(catalog_render.tables_found(found))


@bp.post("/route", responses={200: RouteOutput})
@needs(Scope.SEARCH)
def post_route(body: RouteInput) -> Response:
    """Whether documents, tables or both answer a question, with the best of each.

    `scores` are probabilities that the best of a side answers it.
    """
    found = route(runtime(), lookup.tenant_id(), body.query, body.connections, body.collections, body.limit)
    return answer(catalog_render.route(found))
