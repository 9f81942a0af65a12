"""Trying a search: a question, and the passages that answer it."""

from flask import Blueprint, render_template, request
from pydantic import ConfigDict, Field

from api.auth import needs
from api.console.forms import choices, read
from api.console.marks import marked
from api.fields import Line, Question
from api.inputs import Parameters
from api.routes.search import find
from dbrag.accounts.model import Scope
from dbrag.vectors import model
from dbrag.vectors.model import Mode

bp = Blueprint("search", __name__, url_prefix="/search")


class SearchQuery(Parameters):
    """The form's fields; without a query nothing is searched for."""

    model_config = ConfigDict(extra="forbid")

    collection: Line | None = None
    query: Question | None = None
    mode: Mode = Mode.HYBRID
    limit: int = Field(10, ge=1, le=100)


@bp.get("")
@needs(Scope.SEARCH)
def form() -> str:
    """The form, and below it what was found."""
    asked = read(SearchQuery, request.args)
    found = None
    if asked.collection and asked.query:
        answer = find(asked.collection, model.Question(asked.query, None, asked.limit, None, asked.mode))
        found = [(hit, marked(hit.text, hit.start, hit.highlights)) for hit in answer.hits]
    return render_template(
        "console/search.html", asked=asked, found=found, collections=choices(), modes=list(Mode), limits=(5, 10, 20, 50)
    )
