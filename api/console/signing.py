"""Signing in with an API key, which a cookie keeps, and out again. The server keeps nothing."""

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from api import auth
from dbrag.errors import Unauthorized

COOKIE, PATH = "dbrag_console", "/console"
# A key and an address to go on to; nobody has shown a key yet.
MAX_FORM_BYTES = 16 << 10

bp = Blueprint("signing", __name__)


def sent_key() -> str:
    """The key that the browser keeps. Raises: Unauthorized."""
    key = request.cookies.get(COOKIE)
    if not key:
        raise Unauthorized("sign in with an API key")
    return key


def lead_there() -> Response:
    """To the sign-in and from there back to this page; a key that opens nothing any more is forgotten."""
    ended = COOKIE in request.cookies
    here = request.full_path.rstrip("?") if request.method == "GET" else None
    response = _go_to(url_for("console.signing.form", next=here, ended="yes" if ended else None))
    if ended:
        response.delete_cookie(COOKIE, path=PATH)
    return response


@bp.get("/sign-in")
def form() -> str:
    """Where a key is asked for."""
    ended = "ended" in request.args
    error = "This API key is unknown, expired or revoked. Sign in with another one." if ended else None
    return render_template("console/sign_in.html", error=error, next=_inside(request.args.get("next")))


@bp.post("/sign-in")
def sign_in() -> Response:
    """Keep a key in a cookie, if it is one."""
    request.max_content_length = MAX_FORM_BYTES
    key, there = request.form.get("key", "").strip(), _inside(request.form.get("next"))
    try:
        auth.recognise(key)
    except Unauthorized as error:
        return make_response(render_template("console/sign_in.html", error=error.detail, next=there), error.status)
    response = _go_to(there)
    response.set_cookie(COOKIE, key, path=PATH, httponly=True, samesite="Strict", secure=request.is_secure)
    return response


@bp.post("/sign-out")
def sign_out() -> Response:
    """Have the browser forget the key."""
    response = _go_to(url_for("console.signing.form"))
    response.delete_cookie(COOKIE, path=PATH)
    return response


def _inside(address: str | None) -> str:
    """The same address if it is one of the console, else the console's first page."""
    return address if address and address.startswith(f"{PATH}/") else PATH


def _go_to(address: str) -> Response:
    return make_response(redirect(address, 303))
