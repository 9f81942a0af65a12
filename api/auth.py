"""Who asks, and whether the key may do this: decided before the request is looked at any further."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import current_app, g, request

from api.process import runtime
from dbrag.accounts import keys
from dbrag.accounts.model import Principal, Scope
from dbrag.errors import Forbidden, Unauthorized

View = TypeVar("View", bound=Callable[..., Any])
OPEN = {"/v1/openapi.json"}


def needs(scope: Scope) -> Callable[[View], View]:
    """Marks a view with the scope that a key needs for it."""

    def mark(view: View) -> View:
        view.scope = scope  # pyright: ignore[reportFunctionMemberAccess]  # read by authorise()
        return view

    return mark


def authorise() -> None:
    """Runs before each request: everything under /v1, whether it exists or not, needs a key.

    Raises: Unauthorized, Forbidden.
    """
    if not request.path.startswith("/v1/") or request.path in OPEN:
        return
    g.principal = _principal()
    scope = getattr(current_app.view_functions.get(request.endpoint or ""), "scope", None)
    if scope is not None and scope not in g.principal.scopes:
        raise Forbidden(f"this API key lacks the scope `{scope}`: use one that has it (`dbrag keys create --scope`)")


def principal() -> Principal:
    """Who asks."""
    return g.principal


def _principal() -> Principal:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("send your API key in the header `Authorization: Bearer <key>`")
    with runtime().pool.connection() as conn:
        return keys.authenticate(conn, token.strip())
