"""Many items in one body: a JSON array, NDJSON, or files."""

from collections.abc import Iterable, Iterator
from typing import Any

from api import items, uploads
from api.decode import decode
from api.inputs import TextInput
from api.lines import lines
from api.request import JSON, MULTIPART, NDJSON, Request
from dbrag.documents.model import Refusal, Submission
from dbrag.errors import Fault, Invalid


def documents(request: Request, model: type[TextInput], max_bytes: int) -> list[Submission | Refusal]:
    """The items of a body of any of the three types; see `texts`."""
    if request.mimetype_among(JSON, NDJSON, MULTIPART) == MULTIPART:
        return items.checked_batch(uploads.batch(request, max_bytes))
    return texts(request, model, max_bytes)


def texts(request: Request, model: type[TextInput], max_bytes: int) -> list[Submission | Refusal]:
    """The items of a JSON or NDJSON body, each checked against `model` and `max_bytes` of text.

    Raises: UnsupportedType, Malformed, Invalid for a body that is no batch; a bad item is a Refusal.
    """
    is_ndjson = request.mimetype_among(JSON, NDJSON) == NDJSON
    values = _values(request, max_bytes) if is_ndjson else _array(request.body())
    return items.checked_batch(items.from_values(values, model, max_bytes))


def _values(request: Request, max_bytes: int) -> Iterator[Any]:
    # Escaped as \uXXXX a character takes up to three times its bytes in UTF-8; beside the text stand metadata.
    line_bytes = 3 * max_bytes + (1 << 20)
    return items.decoded(lines(request.hashed_pieces(), line_bytes), line_bytes)


def _array(data: bytes) -> Iterable[Any]:
    value = decode(data)
    if not isinstance(value, list):
        raise Invalid("the body must be a JSON array of items", faults=(Fault("", "must be a JSON array"),))
    return value
