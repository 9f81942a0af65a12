"""How a request's body is read: its limits, its type, and JSON that says what is wrong with it."""

import hashlib
from functools import cached_property
from typing import Any

from flask import Request as FlaskRequest
from werkzeug.exceptions import RequestEntityTooLarge

from api.decode import decode
from dbrag.errors import Fault, Invalid, UnsupportedType

JSON = "application/json"
NDJSON = "application/x-ndjson"
MULTIPART = "multipart/form-data"


class Request(FlaskRequest):
    """Flask's request with our reading of JSON; flask-openapi3 takes the body of a view from `get_json`."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> dict[str, Any]:
        """The body as a JSON object; one without content or type stands for {}.

        The arguments are Flask's and without effect: flask-openapi3 asks for silence, which would hide the reason.
        Raises: Malformed (not JSON), UnsupportedType, Invalid (JSON, but no object).
        """
        data = self.body()
        if not data and not self.mimetype:
            return {}
        self.mimetype_among(JSON)
        value = decode(data)
        if not isinstance(value, dict):
            raise Invalid("the body must be a JSON object", faults=(Fault("", "must be a JSON object"),))
        return value

    @cached_property
    def digest(self) -> "hashlib._Hash":
        """Of what the body holds: whoever reads it feeds it, and it is complete once the body was read."""
        return hashlib.sha256()

    def body(self) -> bytes:
        """The whole body. Raises: RequestEntityTooLarge.

        Werkzeug cuts a body without Content-Length off at `max_content_length` and says nothing; so that is set one
        byte beyond what is allowed, and a body that reaches it is too large.
        """
        data = self.get_data(cache=False)
        if len(data) == self.max_content_length:
            raise RequestEntityTooLarge
        self.digest.update(data)
        return data

    def mimetype_among(self, *accepted: str) -> str:
        """The media type of the body. Raises: UnsupportedType for one not in `accepted`, or a packed body."""
        if self.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UnsupportedType("packed bodies are not read: send it without Content-Encoding")
        if self.mimetype not in accepted:
            raise UnsupportedType(f"the Content-Type is {self.mimetype or 'missing'}: send {' or '.join(accepted)}")
        return self.mimetype
