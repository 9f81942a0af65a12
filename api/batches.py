"""Many items in one body: a JSON array, NDJSON, or files."""

from collections.abc import Iterable
from typing import Any

from api import items, uploads
from api.decode import decode
from api.inputs import TextInput
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
    data = request.body()
    values = items.lines(data) if is_ndjson else _array(data)
    return items.checked_batch(items.from_values(values, model, max_bytes))


def _array(data: bytes) -> Iterable[Any]:
    value = decode(data)
    if not isinstance(value, list):
        raise Invalid("the body must be a JSON array of items", faults=(Fault("", "must be a JSON array"),))
    return value
