"""What stands before every page of the console (who asks, and from where) and after it (headers, errors as pages)."""

from http import HTTPStatus
from urllib.parse import urlsplit

import orjson
from flask import Response, render_template, request

from api import auth
from api.console import signing
from dbrag.errors import Forbidden

STATIC = "console.static"
OPEN = {STATIC, "console.signing.form", "console.signing.sign_in", "console.signing.sign_out"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # With `no-referrer`, browsers would send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
}


def check() -> None:
    """Runs before each request: everything under /console, whether it exists or not, needs the key in the cookie.

    It is looked up anew, so that a revoked one opens nothing any more. Raises: Unauthorized, Forbidden.
    """
    if not _is_ours():
        return
    if request.method not in ("GET", "HEAD", "OPTIONS") and not _is_from_here():
        raise Forbidden("this form was sent from elsewhere: open the console in your browser and send it from there")
    if request.endpoint not in OPEN:
        auth.let_in(signing.sent_key())


def finish(response: Response) -> Response:
    """Runs after each request: errors under /console become pages, or lead to the sign-in."""
    if not _is_ours():
        return response
    if response.mimetype == "application/problem+json":
        response = _page(response)
    response.headers.update(HEADERS)
    if request.endpoint != STATIC:
        response.headers["Cache-Control"] = "no-store"
    return response


def _is_ours() -> bool:
    return request.path == "/console" or request.path.startswith("/console/")


def _is_from_here() -> bool:
    """Whether a page of ours sent this form. Browsers say so in Sec-Fetch-Site, or (over plain http) in Origin only."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return urlsplit(request.headers.get("Origin", "")).netloc == request.host


def _page(response: Response) -> Response:
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return signing.lead_there()
    response.set_data(render_template("console/problem.html", problem=orjson.loads(response.get_data())))
    response.mimetype = "text/html"
    return response
