"""Pages of other origins in browsers (CORS): those that the operator names may call the API, nobody else may.

Keys travel to /v1 in a header and never in a cookie, so credentials are not allowed: a page has to know its key.
"""

from collections.abc import Collection

from flask import Flask, Response, request

METHODS = "GET, POST, PUT, DELETE"
SENT = "Authorization, Content-Type, Idempotency-Key, Prefer, Last-Event-ID, If-None-Match"
SHOWN = (
    "Location, Retry-After, ETag, X-Request-ID, Idempotency-Replayed, Preference-Applied, "
    "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
)
# So long a browser need not ask again, in seconds.
REMEMBERED_S = "600"


def register(app: Flask, origins: Collection[str]) -> None:
    """Answer browsers on pages of `origins`; without any, no header of CORS is ever sent. Before keys are asked for."""
    if not origins:
        return

    def preflight() -> Response | None:
        """The browser's question before a request; it comes without a key."""
        asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not (asked and _is_ours() and request.headers.get("Origin") in origins):
            return None
        answer = Response(status=204)
        answer.headers["Access-Control-Allow-Methods"] = METHODS
        answer.headers["Access-Control-Allow-Headers"] = SENT
        answer.headers["Access-Control-Max-Age"] = REMEMBERED_S
        return answer

    def allow(response: Response) -> Response:
        if _is_ours():
            response.vary.add("Origin")
            if (origin := request.headers.get("Origin")) in origins:
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Access-Control-Expose-Headers"] = SHOWN
        return response

    app.before_request(preflight)
    app.after_request(allow)


def _is_ours() -> bool:
    return request.path.startswith("/v1/")
