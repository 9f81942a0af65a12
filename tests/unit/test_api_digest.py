"""A request's digest: the same for bodies that say the same, another one for all else."""

from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from api import batches, uploads
from api.inputs import DocumentInput
from api.request import Request

LIMIT = 1000


def posted(body: bytes, content_type: str) -> Request:
    return Request(EnvironBuilder(method="POST", input_stream=BytesIO(body), content_type=content_type).get_environ())


def of_form(data: dict[str, Any]) -> bytes:
    """Each form gets a boundary of its own."""
    request = Request(EnvironBuilder(method="POST", data=data, content_type="multipart/form-data").get_environ())
    uploads.single(request, LIMIT)
    return request.digest.digest()


def file(content: bytes = b"a", name: str = "a.txt", media_type: str = "text/plain") -> tuple[BytesIO, str, str]:
    return BytesIO(content), name, media_type


def test_of_a_json_body_its_bytes_are_hashed() -> None:
    body = b'{"query": "a"}'
    request = posted(body, "application/json")
    request.get_json()
    assert request.digest.digest() == sha256(body).digest()


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
def test_of_a_batch_its_bytes_are_hashed(content_type: str) -> None:
    body = b'[{"text": "a"}]' if content_type == "application/json" else b'{"text": "a"}\n\n{"text": "b"}'
    request = posted(body, content_type)
    batches.documents(request, DocumentInput, LIMIT)
    assert request.digest.digest() == sha256(body).digest()


def test_a_form_sent_again_has_the_same_digest_at_another_boundary() -> None:
    assert of_form({"file": file(), "title": "T"}) == of_form({"file": file(), "title": "T"})


@pytest.mark.parametrize(
    "other",
    [
        {"file": file(b"b"), "title": "T"},
        {"file": file(name="b.txt"), "title": "T"},
        {"file": file(media_type="text/html"), "title": "T"},
        {"file": file(), "title": "t"},
        {"file": file(), "external_id": "T"},
        {"file": file()},
    ],
)
def test_a_form_that_says_something_else_has_another_digest(other: dict[str, Any]) -> None:
    assert of_form(other) != of_form({"file": file(), "title": "T"})
