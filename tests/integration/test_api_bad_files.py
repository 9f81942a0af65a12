"""Files and bodies that are careless or hostile: each is a problem that names what is wrong, or a failed item."""

import gzip
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from api_client import Call, body, caller, pointers

from api.app import create_app
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]
NDJSON = "application/x-ndjson"
FIFTY_MB = b"a" * 50_000_000


@pytest.fixture(scope="module")
def usual(api_settings: Settings, key: Callable[..., str]) -> Iterator[Call]:
    """The API with the limits that it has by default: bodies of 64 MiB, items of 10."""
    app = create_app(api_settings.model_copy(update={"max_body_mb": 64, "max_item_mb": 10}))
    call = caller(app, key())
    call("PUT", "/v1/collections/usual", json={"dimensions": 4})
    yield call
    app.extensions["dbrag"].close()


def jobs(call: Call, collection: str) -> list[Any]:
    return body(call("GET", f"/v1/jobs?collection={collection.rpartition('/')[2]}"))["data"]


def form(*files: tuple[str, bytes]) -> dict[str, Any]:
    """Written by hand: werkzeug's client leaves a temporary file open for a large one."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n'
    parts = b"".join(head % name.encode() + content + b"\r\n" for name, content in files)
    return {"data": parts + b"--b--\r\n", "content_type": "multipart/form-data; boundary=b"}


def items(call: Call, answer: Any) -> list[tuple[str | None, str, str | None]]:
    assert answer.status_code == 202
    found = body(call("GET", f"{answer.headers['Location']}/items"))["data"]
    return [(item["external_id"], item["status"], item["error"] and item["error"]["code"]) for item in found]


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"text": ""}, "/text"),
        ({"text": " \n\t\u00a0"}, "/text"),
        ({"text": "a\0b"}, "/text"),
        ({"text": "t", "external_id": "x" * 10_000}, "/external_id"),
        ({"text": "t", "metadata": {"a": "\0"}}, "/metadata"),
        ({"text": "t", "colour": "red"}, "/colour"),
        ({"text": ["t"]}, "/text"),
    ],
)
def test_a_bad_field_is_named(call: Call, collection: str, sent: dict[str, Any], pointer: str) -> None:
    answer = call("POST", f"{collection}/documents", json=sent)
    assert (answer.status_code, pointers(answer)) == (422, [pointer])
    assert jobs(call, collection) == []


@pytest.mark.parametrize(
    "content", [b'{"text": "\xff\xfe"}', b'{"text": "' + b"\xe2\x82" + b'"}', b"[" * 10_000, b'{"a":' * 10_000]
)
def test_what_is_not_utf_8_or_nested_10_000_deep_is_malformed(call: Call, collection: str, content: bytes) -> None:
    answer = call("POST", f"{collection}/documents", data=content, content_type="application/json")
    assert (answer.status_code, body(answer)["code"]) == (400, "malformed")
    answer = call("POST", f"{collection}/documents:batch", data=content, content_type=NDJSON)
    assert items(call, answer) == [(None, "failed", "malformed")]


def test_a_batch_of_2_000_with_one_bad_item_is_accepted_but_for_that_one(call: Call, collection: str) -> None:
    lines = [b'{"external_id": "%d", "text": "t"}' % number for number in range(2000)]
    lines[1234] = b'{"external_id": "1234", "text": 1}'
    answer = call("POST", f"{collection}/documents:batch", data=b"\n".join(lines), content_type=NDJSON)
    assert body(answer)["counts"].items() >= {"total": 2000, "failed": 1}.items()
    failed = body(call("GET", f"{answer.headers['Location']}/items?status=failed"))["data"]
    assert [(item["index"], item["external_id"]) for item in failed] == [(1234, "1234")]


@pytest.mark.parametrize("packed", [False, True])
def test_2_001_items_are_too_many(call: Call, collection: str, packed: bool) -> None:
    lines = b'{"text": "t"}\n' * 2001
    data = gzip.compress(lines) if packed else lines
    headers = {"Content-Encoding": "gzip"} if packed else {}
    answer = call("POST", f"{collection}/documents:batch", data=data, content_type=NDJSON, headers=headers)
    assert (answer.status_code, body(answer)["code"]) == (422, "invalid")
    assert jobs(call, collection) == []


def test_an_external_id_that_comes_twice_is_named(call: Call, collection: str) -> None:
    twice = b'{"external_id": "a/b", "text": "t"}\n' * 2
    answer = call("POST", f"{collection}/documents:batch", data=twice, content_type=NDJSON)
    assert (answer.status_code, pointers(answer)) == (422, ["/1/external_id"])
    answer = call("POST", f"{collection}/documents:batch", **form(("a/b", b"1"), ("a/b", b"2")))
    assert (answer.status_code, pointers(answer)) == (422, ["/1/external_id"])
    assert jobs(call, collection) == []


def test_a_file_named_with_10_000_characters_or_without_content_fails_alone(call: Call, collection: str) -> None:
    files = form(("n" * 10_000, b"t"), ("docs/empty.txt", b""), ("docs/good.txt", b"t"))
    answer = call("POST", f"{collection}/documents:batch", **files)
    assert items(call, answer) == [
        (None, "failed", "invalid"),
        ("docs/empty.txt", "failed", "invalid"),
        ("docs/good.txt", "queued", None),
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_an_item_of_50_mb_fails_alone_or_is_refused(usual: Call, packed: bool) -> None:
    def post(path: str, data: bytes, media_type: str) -> Any:
        headers = {"Content-Encoding": "gzip"} if packed else {}
        data = gzip.compress(data, 1) if packed else data
        return usual("POST", f"/v1/collections/usual/{path}", data=data, content_type=media_type, headers=headers)

    large, good = b'{"external_id": "large", "text": "' + FIFTY_MB + b'"}', b'{"external_id": "good", "text": "t"}'
    single = post("documents", large, "application/json")
    assert (single.status_code, pointers(single)) == (413, ["/text"])
    array = post("documents:batch", b"[" + large + b"," + good + b"]", "application/json")
    assert items(usual, array) == [("large", "failed", "too_large"), ("good", "queued", None)]
    lines = post("documents:batch", large + b"\n" + good, NDJSON)
    assert items(usual, lines) == [(None, "failed", "too_large"), ("good", "queued", None)]


def test_a_file_of_50_mb_fails_alone_or_is_refused(usual: Call) -> None:
    path = "/v1/collections/usual/documents"
    answer = usual("POST", f"{path}:batch", **form(("large.txt", FIFTY_MB), ("good.txt", b"t")))
    assert items(usual, answer) == [("large.txt", "failed", "too_large"), ("good.txt", "queued", None)]
    answer = usual("POST", path, **form(("large.txt", FIFTY_MB)))
    assert (answer.status_code, body(answer)["code"]) == (413, "too_large")


def test_a_packed_form_gives_its_files(call: Call, collection: str) -> None:
    request = form(("a.txt", b"one"), ("b/c.txt", b"two"))
    request |= {"data": gzip.compress(request["data"]), "headers": {"Content-Encoding": "gzip"}}
    answer = call("POST", f"{collection}/documents:batch", **request)
    assert items(call, answer) == [("a.txt", "queued", None), ("b/c.txt", "queued", None)]
