"""Errors as application/problem+json (RFC 9457): one shape, whoever raised them."""

import math
from http import HTTPStatus

import orjson
import psycopg
import structlog
from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from dbrag.errors import DbragError, NotFound, Permanent, TooLarge, Transient

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def register(app: Flask) -> None:
    """Have `app` answer every error as a problem."""
    app.register_error_handler(DbragError, of_dbrag)
    app.register_error_handler(psycopg.OperationalError, of_database)
    app.register_error_handler(HTTPException, of_http)


def of_dbrag(error: DbragError) -> Response:
    """The answer to an error of ours; one that is nobody's to see is logged and told in general words."""
    if error.status >= 500 and not error.retryable:
        log.error("request_failed", exc_info=error)
        return _answer(_unexpected())
    return _answer(error)


def of_database(error: psycopg.OperationalError) -> Response:
    """The database is away, or gave up on this transaction (a deadlock, a timeout): trying again helps."""
    log.warning("database_unavailable", error=str(error))
    return _answer(Transient("the database cannot answer now: try again", code="database_unavailable", retry_after_s=1))


def of_http(error: HTTPException) -> Response:
    """The answer to what Flask refuses, and to an exception that nobody expected (logged by Api.log_exception)."""
    match error:
        case RequestEntityTooLarge():  # the body itself is looked after in api/arriving.py
            return _answer(TooLarge("the form has too many parts, or fields that are too large: send less at once"))
        case MethodNotAllowed():
            allowed = ", ".join(sorted(error.valid_methods or ()))
            answer = _answer(_Refused(f"this address answers {allowed} only", code="method_not_allowed"), status=405)
            answer.headers["Allow"] = allowed
            return answer
        case HTTPException(code=404):
            return _answer(NotFound("nothing is at this address: check its path, and the id in it, against /docs"))
        case HTTPException(code=int(status)) if status < 500:
            return _answer(_Refused(error.description or error.name, code="bad_request"), status=status)
        case _:
            return _answer(_unexpected())


class _Refused(Permanent):
    """What HTTP itself forbids."""


def _unexpected() -> Permanent:
    return Permanent("something went wrong here; the log has the reason under this request_id")


def _answer(error: DbragError, status: int | None = None) -> Response:
    status = status or error.status
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.detail,
        "code": error.code,
        "request_id": g.request_id,
        "retryable": error.retryable,
        "errors": [{"pointer": fault.pointer, "detail": fault.detail} for fault in error.faults],
    }
    response = Response(orjson.dumps(body), status, mimetype="application/problem+json")
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return response
