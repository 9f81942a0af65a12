"""Files in forms, as the API reads them."""

from io import BytesIO
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from api import uploads
from api.decode import Malformed
from api.request import Request
from dbrag.documents.model import Refusal, Submission
from dbrag.errors import Invalid, TooLarge

LIMIT = 1000


def form(data: dict[str, Any]) -> Request:
    return Request(EnvironBuilder(method="POST", data=data, content_type="multipart/form-data").get_environ())


def file(content: bytes, name: str, media_type: str | None = None) -> tuple[BytesIO, str, str | None]:
    return BytesIO(content), name, media_type


def raw(body: bytes, boundary: str = "b") -> Request:
    content_type = f"multipart/form-data; boundary={boundary}"
    return Request(EnvironBuilder(method="POST", input_stream=BytesIO(body), content_type=content_type).get_environ())


def test_a_file_comes_with_the_fields_beside_it() -> None:
    sent = {"external_id": "a/1", "title": "T", "metadata": '{"a": 1}', "queue": "low"}
    item, fields = uploads.single(form(sent | {"file": file(b"%PDF", "x.pdf", "application/pdf")}), LIMIT)
    assert item == Submission(
        external_id="a/1",
        content=b"%PDF",
        media_type="application/pdf",
        filename="x.pdf",
        title="T",
        metadata={"a": 1},
    )
    assert fields.queue == "low"


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({}, "/file"),
        ({"other": file(b"a", "a.txt")}, "/file"),
        ({"file": [file(b"a", "a.txt"), file(b"b", "b.txt")]}, "/file"),
        ({"file": file(b"", "a.txt")}, "/file"),
        ({"file": file(b"a", "a.txt"), "metadata": "{"}, "/metadata"),
        ({"file": file(b"a", "a.txt"), "metadata": "[]"}, "/metadata"),
        ({"file": file(b"a", "a.txt"), "queue": "urgent"}, "/queue"),
        ({"file": file(b"a", "a.txt"), "colour": "red"}, "/colour"),
        ({"file": file(b"a", "a.txt"), "external_id": " "}, "/external_id"),
    ],
)
def test_a_form_with_a_fault_is_refused_with_its_place(sent: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        uploads.single(form(sent), LIMIT)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_a_file_over_the_limit_is_too_large() -> None:
    item, _ = uploads.single(form({"file": file(b"x" * LIMIT, "a.txt")}), LIMIT)
    assert item.content == b"x" * LIMIT
    with pytest.raises(TooLarge):
        uploads.single(form({"file": file(b"x" * (LIMIT + 1), "a.txt")}), LIMIT)


def test_each_file_of_a_batch_is_named_by_its_path() -> None:
    files = [file(b"1", "docs/a b.md", "text/markdown"), file(b"2", "/abs/é.txt"), file(b"3", "c.bin", "a\0/b")]
    first, second, third = uploads.batch(form({"file": files}), LIMIT)
    assert first == Submission(
        external_id="docs/a b.md", content=b"1", media_type="text/markdown", filename="docs/a b.md"
    )
    assert (second.external_id, third.external_id) == ("/abs/é.txt", "c.bin")
    assert isinstance(third, Submission)
    assert third.media_type is None


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        (file(b"", "empty.txt"), Refusal("empty.txt", "invalid", "the file is empty")),
        (file(b"x" * 1001, "big"), Refusal("big", "too_large", "the file is larger than 0 MiB: split it")),
        (file(b"x", "n\0l"), Refusal(None, "invalid", "the filename must not hold the character U+0000: ...")),
        (file(b"x", "n" * 513), Refusal(None, "invalid", "the filename String should have at most 512 characters")),
    ],
)
def test_a_bad_file_of_a_batch_is_refused_alone(sent: Any, refusal: Refusal) -> None:
    good, bad = uploads.batch(form({"file": [file(b"good", "good"), sent]}), LIMIT)
    assert isinstance(good, Submission)
    assert isinstance(bad, Refusal)
    assert (bad.external_id, bad.code, bad.detail[:30]) == (refusal.external_id, refusal.code, refusal.detail[:30])


def test_a_batch_takes_no_fields() -> None:
    with pytest.raises(Invalid) as refused:
        uploads.batch(form({"file": file(b"a", "a"), "metadata": "{}"}), LIMIT)
    assert [fault.pointer for fault in refused.value.faults] == ["/metadata"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no parts at all",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\ncut off',
        b"--b\r\nX: y\r\n\r\nno disposition\r\n--b--\r\n",
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="\xff"\r\n\r\nx\r\n--b--\r\n',
    ],
)
def test_a_form_that_is_none_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        uploads.batch(raw(body), LIMIT)


def test_a_form_without_a_boundary_is_malformed() -> None:
    with pytest.raises(Malformed):
        uploads.batch(raw(b"--b--", boundary=""), LIMIT)
