"""Where one can go in the console, and what of it a key opens."""

from typing import NamedTuple

from flask import Blueprint, Response, g, make_response, redirect, request, url_for

from dbrag.accounts.model import Scope
from dbrag.errors import Forbidden

bp = Blueprint("navigation", __name__)


class Section(NamedTuple):
    """An entry of the menu, and the scope that its page needs."""

    title: str
    endpoint: str
    scope: Scope

    @property
    def is_here(self) -> bool:
        """Whether the page that is asked for belongs to it."""
        return (request.endpoint or "").rpartition(".")[0] == self.endpoint.rpartition(".")[0]


SECTIONS = (
    Section("Jobs", "console.jobs.index", Scope.READ),
    Section("Send files", "console.files.form", Scope.INGEST),
    Section("Search", "console.search.form", Scope.SEARCH),
    Section("Queues", "console.queues.index", Scope.READ),
    Section("Usage", "console.usage.index", Scope.READ),
)


def may(scope: Scope) -> bool:
    """Whether who asks has this scope; nobody has one before signing in."""
    return "principal" in g and scope in g.principal.scopes


def sections() -> list[Section]:
    """The menu of who asks."""
    return [section for section in SECTIONS if may(section.scope)]


@bp.get("")
@bp.get("/")
def home() -> Response:
    """To the first page that the key opens."""
    menu = sections()
    if not menu:
        raise Forbidden("this API key opens no page of the console: use one with a scope (`dbrag keys create --scope`)")
    return make_response(redirect(url_for(menu[0].endpoint)))
