"""Who asks, and whether they may do this: decided before the request is looked at any further."""

from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from flask import current_app, g, request

from api.process import here, runtime
from dbrag.accounts import keys, tenants
from dbrag.accounts.jwts import is_jwt
from dbrag.accounts.model import Principal, Scope
from dbrag.database.pool import statements
from dbrag.errors import Forbidden, Unauthorized

View = TypeVar("View", bound=Callable[..., Any])
OPEN = {"/v1/openapi.json"}


def needs(scope: Scope) -> Callable[[View], View]:
    """Marks a view with the scope that one needs for it."""

    def mark(view: View) -> View:
        view.scope = scope  # pyright: ignore[reportFunctionMemberAccess]  # read by authorise()
        return view

    return mark


def authorise() -> None:
    """Runs before each request: everything under /v1, whether it exists or not, needs a key or a JWT.

    Raises: Unauthorized, Forbidden.
    """
    if not request.path.startswith("/v1/") or request.path in OPEN:
        return
    let_in(_bearer_token())


def let_in(token: str) -> None:
    """Lets who sent `token` do what the view is for. Raises: Unauthorized, Forbidden."""
    g.principal = recognise(token)
    structlog.contextvars.bind_contextvars(principal=g.principal.name)
    scope = getattr(current_app.view_functions.get(request.endpoint or ""), "scope", None)
    if scope is not None and scope not in g.principal.scopes:
        raise Forbidden(_lacks(scope, g.principal))


def principal() -> Principal:
    """Who asks."""
    return g.principal


def recognise(token: str) -> Principal:
    """Who sent `token`, an API key or a JWT. Raises: Unauthorized, Forbidden.

    Never remembered, so that a key that is revoked is worthless at once.
    """
    if is_jwt(token):
        return _bearer_of(token)
    with statements(runtime().pool) as conn:
        return keys.authenticate(conn, token)


def _bearer_token() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("send your API key in the header `Authorization: Bearer <key>`")
    return token.strip()


def _bearer_of(jwt: str) -> Principal:
    jwts = here().jwts
    if jwts is None:
        raise Unauthorized(
            "JWTs are off here: send an API key, or have the operator set DBRAG_JWT_SECRET or DBRAG_JWT_JWKS_FILE"
        )
    claims = jwts.claims(jwt)
    with statements(runtime().pool) as conn:
        tenant_id = tenants.find(conn, claims.tenant)
    if tenant_id is None:
        raise Forbidden(
            f"there is no tenant {claims.tenant!r}, which this JWT names: the operator makes it with "
            "`dbrag tenants create`"
        )
    return Principal(tenant_id, None, claims.scopes, claims.subject)


def _lacks(scope: Scope, principal: Principal) -> str:
    if principal.key_id is None:
        return f"this JWT lacks the scope `{scope}`: get one from its issuer whose `scope` has it"
    return f"this API key lacks the scope `{scope}`: use one that has it (`dbrag keys create --scope`)"
