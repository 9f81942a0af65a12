"""How a request's body is read: its limits, its type, and JSON that says what is wrong with it."""

import hashlib
import sys
from collections.abc import Iterator
from functools import cached_property
from io import BytesIO
from typing import IO, Any

from flask import Request as FlaskRequest

from api import arriving
from api.decode import decode
from api.impatient import Impatient
from api.process import here
from dbrag.errors import Fault, Invalid, UnsupportedType

JSON = "application/json"
NDJSON = "application/x-ndjson"
MULTIPART = "multipart/form-data"
LITTLE_BYTES = 32 * 1024  # gunicorn reads 64 KiB of what a view has left unread, and then uses the connection again


class Request(FlaskRequest):
    """Flask's request with our reading of JSON; flask-openapi3 takes the body of a view from `get_json`."""

    _is_read = False

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

    @cached_property
    def stream(self) -> IO[bytes]:  # pyright: ignore[reportIncompatibleMethodOverride] of werkzeug's own kind
        """For what Flask reads itself, a form of the console: the whole body, with the limits that all bodies have."""
        return BytesIO(self.body())

    def body(self) -> bytes:
        """The whole body, unpacked. Raises: see `pieces`."""
        data = BytesIO()
        for piece in self.hashed_pieces():
            data.write(piece)
        return data.getvalue()

    def hashed_pieces(self) -> Iterator[bytes]:
        """The same as `pieces`, which the digest takes in on their way."""
        for piece in self.pieces():
            self.digest.update(piece)
            yield piece

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes, unpacked, at most `max_content_length` of it; to be read once.

        Raises: UnsupportedType for one that is packed with something else than gzip; TooLarge, Malformed, TooSlow.
        """
        encoding = self.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", "x-gzip"):
            raise UnsupportedType(f"the Content-Encoding is {encoding[:50]}: pack the body with gzip, or not at all")
        if self.content_length is None and not self.environ.get("wsgi.input_terminated"):
            return iter(())
        if isinstance(client := self.environ.get("gunicorn.socket"), Impatient):
            client.begin(here().settings.receive_timeout_s)
        limit = self.max_content_length or sys.maxsize
        sent = self._noting_the_end(arriving.sent(self.input_stream, self.content_length, limit))
        return sent if encoding == "identity" else arriving.unpacked(sent, limit)

    def _noting_the_end(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        yield from pieces
        self._is_read = True

    def hang_up_if_unread(self) -> None:
        """Called before an answer: much that was not read makes the connection useless, and its client must know."""
        much = self.content_length is None or self.content_length > LITTLE_BYTES
        sends = self.content_length or "Transfer-Encoding" in self.headers
        if (
            sends
            and much
            and not self._is_read
            and isinstance(client := self.environ.get("gunicorn.socket"), Impatient)
        ):
            client.hang_up()

    def mimetype_among(self, *accepted: str) -> str:
        """The media type of the body. Raises: UnsupportedType for one not in `accepted`."""
        if self.mimetype not in accepted:
            raise UnsupportedType(f"the Content-Type is {self.mimetype or 'missing'}: send {' or '.join(accepted)}")
        return self.mimetype
