"""What is noted of every request: its id, a line in the log, counts."""

import re
import time
from typing import cast
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request

from api import metrics
from api.request import Request

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
# Asked every few seconds by machines; nobody wants to read about it.
QUIET = {"/healthz", "/readyz", "/metrics"}


def register(app: Flask) -> None:
    """Observe every request of `app`, and show the counts at /metrics."""
    app.before_request(_begin)
    app.after_request(_end)
    app.add_url_rule("/metrics", "metrics", metrics.show)


def _begin() -> None:
    sent = request.headers.get("X-Request-ID", "")
    g.began = time.perf_counter()
    g.request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid4().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    seconds = time.perf_counter() - g.began
    response.headers["X-Request-ID"] = g.request_id
    cast(Request, request).hang_up_if_unread()
    metrics.count(
        request.method, request.url_rule.rule if request.url_rule else "unknown", response.status_code, seconds
    )
    if request.path not in QUIET:
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
        )
    return response
