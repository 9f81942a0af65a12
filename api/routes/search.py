"""Search: the chunks that answer a question, or are nearest to a vector."""

import time

from flask import Response

from api import lookup, metrics, render
from api.answers import answer
from api.auth import needs
from api.inputs import CollectionPath, SearchInput
from api.openapi import blueprint
from api.outputs import HitOutput, Listing
from api.process import runtime
from api.transaction import transaction
from dbrag.accounts.model import Scope
from dbrag.documents.model import Collection
from dbrag.errors import Fault, Invalid
from dbrag.vectors.model import Answer, Question
from dbrag.vectors.search import looked_up_again, search

bp = blueprint("search", "What is found.")


@bp.post("/collections/<name>/search", responses={200: Listing[HitOutput]})
@needs(Scope.SEARCH)
def post_search(path: CollectionPath, body: SearchInput) -> Response:
    """The chunks that answer `query`, or are nearest to `vector`, best first."""
    question = Question(body.query, body.vector, body.limit, body.filter, body.mode)
    found = find(path.name, question)
    return answer(Listing[HitOutput](data=[render.hit(hit) for hit in found.hits]))


@looked_up_again
def find(name: str, question: Question) -> Answer:
    """The answer of the collection `name`. Raises: NotFound, Invalid; what the provider raises."""
    began = time.perf_counter()
    with transaction() as conn:
        collection = lookup.collection(conn, name)
    _check_dimensions(question.vector, collection)
    found = search(runtime(), collection, question)
    metrics.count_search(found.by, time.perf_counter() - began)
    return found


def _check_dimensions(vector: list[float] | None, collection: Collection) -> None:
    if vector is not None and len(vector) != collection.dimensions:
        detail = f"has {len(vector)} numbers, the collection's vectors have {collection.dimensions}"
        raise Invalid("the vector has the wrong length", faults=(Fault("/vector", detail),))
