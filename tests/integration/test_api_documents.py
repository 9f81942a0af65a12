"""Documents and texts over HTTP: what is accepted, and what is refused how."""

import gzip
from urllib.parse import quote

import pytest
from api_client import Call, body, pointers

pytest_plugins = ["api_fixtures"]


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"text": NaN}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"no form", "multipart/form-data; boundary=b", 400),
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
        (b"text=a", "application/x-www-form-urlencoded", 415),
        (b"[]", "application/json", 422),
        (b"{}", "application/json", 422),
        (b'{"text": " "}', "application/json", 422),
        (b'{"text": "a\\u0000"}', "application/json", 422),
        (b'{"text": "a\\ud800"}', "application/json", 422),
        (b'{"text": "' + b"a" * (1 << 20) + b'a"}', "application/json", 413),
        (b'{"text": "' + b"a" * (2 << 20) + b'a"}', "application/json", 413),
    ],
)
def test_a_bad_single_document_is_refused(
    call: Call, collection: str, content: bytes, media_type: str, status: int
) -> None:
    answer = call("POST", f"{collection}/documents", data=content, content_type=media_type)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert body(call("GET", f"/v1/jobs?collection={collection.rpartition('/')[2]}"))["data"] == []


def test_a_packed_document_is_accepted_like_another(call: Call, collection: str) -> None:
    packed = gzip.compress(b'{"external_id": "packed", "text": "t"}')
    headers = {"Content-Encoding": "gzip"}
    answer = call("POST", f"{collection}/documents", data=packed, content_type="application/json", headers=headers)
    assert answer.status_code == 202
    assert call("GET", f"{collection}/documents/packed").status_code == 200


@pytest.mark.parametrize(
    ("encoding", "content", "status", "code"),
    [
        ("br", b"{}", 415, "unsupported_type"),
        ("gzip", b'{"text": "t"}', 400, "malformed"),
        ("gzip", gzip.compress(b'{"text": "t"}')[:-3], 400, "malformed"),
        ("gzip", gzip.compress(b'{"text": "' + b"a" * (64 << 20) + b'"}'), 413, "too_large"),
    ],
)
@pytest.mark.parametrize("path", ["documents", "documents:batch", "embeddings", "search"])
def test_a_packed_body_that_is_damaged_or_a_bomb_is_refused(
    call: Call, collection: str, path: str, encoding: str, content: bytes, status: int, code: str
) -> None:
    headers = {"Content-Encoding": encoding}
    answer = call("POST", f"{collection}/{path}", data=content, content_type="application/json", headers=headers)
    assert (answer.status_code, body(answer)["code"]) == (status, code)
    assert "gzip" in body(answer)["detail"] or "unpacks to" in body(answer)["detail"]


def test_a_document_is_accepted_as_a_job(call: Call, collection: str) -> None:
    external_id = "/folder//a b/ü?.md"
    sent = {"external_id": external_id, "title": "T", "text": "Some text.", "metadata": {"a": [1]}, "queue": "low"}
    answer = call("POST", f"{collection}/documents", json=sent)
    job = body(answer)
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert answer.headers["Retry-After"] == "1"
    assert (job["kind"], job["queue"], job["status"]) == ("ingest_document", "low", "queued")
    assert body(call("GET", answer.headers["Location"]))["id"] == job["id"]
    items = {"data": [{"index": 0, "external_id": external_id, "status": "queued", "error": None}]}
    assert body(call("GET", f"/v1/jobs/{job['id']}/items")).items() >= items.items()
    document = call("GET", f"{collection}/documents/%2Ffolder%2F%2Fa%20b/%C3%BC%3F.md")
    assert (
        body(document).items() >= {"external_id": external_id, "status": "processing", "metadata": {"a": [1]}}.items()
    )


@pytest.mark.parametrize("external_id", ["a\nb", "/a//b/", " a", "%2F", "a?b#c", "😀" * 512])
def test_a_document_is_found_by_its_external_id_whatever_that_holds(
    call: Call, collection: str, external_id: str
) -> None:
    call("POST", f"{collection}/documents", json={"external_id": external_id, "text": "t"})
    assert body(call("GET", f"{collection}/documents/{quote(external_id, safe='')}"))["external_id"] == external_id


def test_a_deleted_document_is_gone(call: Call, collection: str) -> None:
    call("POST", f"{collection}/documents", json={"external_id": "a/b", "text": "t"})
    assert call("DELETE", f"{collection}/documents/a/b").status_code == 204
    assert call("GET", f"{collection}/documents/a/b").status_code == 404
    assert call("DELETE", f"{collection}/documents/a/b").status_code == 404
    assert call("GET", f"{collection}/documents/%00").status_code == 404


def test_bad_items_of_a_batch_fail_and_the_others_are_accepted(call: Call, collection: str) -> None:
    lines = b'{"external_id": "a", "text": "t"}\nno json\n{"external_id": "c", "text": ""}\n[]\n'
    answer = call("POST", f"{collection}/documents:batch", data=lines, content_type="application/x-ndjson")
    assert answer.status_code == 202
    assert body(answer)["counts"].items() >= {"total": 4, "failed": 3}.items()
    items = body(call("GET", f"{answer.headers['Location']}/items"))["data"]
    assert [(item["index"], item["external_id"], item["status"]) for item in items] == [
        (0, "a", "queued"),
        (1, None, "failed"),
        (2, "c", "failed"),
        (3, None, "failed"),
    ]
    assert [item["error"]["code"] for item in items[1:]] == ["malformed", "invalid", "invalid"]
    assert items[2]["error"]["detail"] == "/text must not be blank"


@pytest.mark.parametrize("path", ["documents:batch", "embeddings"])
def test_a_malformed_envelope_is_refused_whole(call: Call, collection: str, path: str) -> None:
    good = {"external_id": "a", "text": "t"}
    refused = [
        call("POST", f"{collection}/{path}", json=[]),
        call("POST", f"{collection}/{path}", json=good),
        call("POST", f"{collection}/{path}", json=[good, {**good, "text": 1}]),
        call("POST", f"{collection}/{path}", json=[{"text": "t"}] * 2001),
        call("POST", f"{collection}/{path}?queue=urgent", json=[good]),
        call("POST", f"{collection}/{path}?que=low", json=[good]),
    ]
    assert [answer.status_code for answer in refused] == [422] * 6
    assert pointers(refused[2]) == ["/1/external_id"]
    assert (pointers(refused[4]), pointers(refused[5])) == (["?queue"], ["?que"])
    assert call("POST", f"{collection}/{path}", data=b"[", content_type="application/json").status_code == 400
    assert call("POST", f"{collection}/{path}", data=b"[]", content_type="text/csv").status_code == 415
    assert body(call("GET", f"/v1/jobs?collection={collection.rpartition('/')[2]}"))["data"] == []


def test_ready_made_texts_are_a_job_of_their_own_kind(call: Call, collection: str) -> None:
    answer = call("POST", f"{collection}/embeddings?queue=critical", json=[{"external_id": "a", "text": "t"}])
    assert answer.status_code == 202
    assert (body(answer)["kind"], body(answer)["queue"]) == ("batch_embed", "critical")
