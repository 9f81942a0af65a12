"""Numbers, ids, cursors and batches that are wrong, wherever they can be sent: each refusal names its place."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from api_client import Call, body, caller, pointers

from api.app import Api
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]
LISTS = ["/v1/collections", "/v1/connections", "/v1/jobs"]


@pytest.fixture(scope="module")
def call(app: Api, key: Callable[..., str]) -> Call:
    """Calls of a tenant of its own: many collections are made here."""
    return caller(app, key(tenant="bad-input"))


@pytest.fixture
def stranger(app: Api, key: Callable[..., str]) -> Call:
    """Calls of a tenant that has nothing."""
    return caller(app, key(tenant=f"stranger-{uuid4()}"))


def submit(call: Call, collection: str, *names: str) -> str:
    items = [{"external_id": name, "text": "t"} for name in names]
    return call("POST", f"{collection}/documents:batch", json=items).headers["Location"]


@pytest.mark.parametrize("limit", ["0", "-1", "1000000000", "1e9", "", "NaN"])
@pytest.mark.parametrize("path", [*LISTS, "items"])
def test_a_page_has_a_size_that_there_can_be(call: Call, collection: str, path: str, limit: str) -> None:
    path = f"{submit(call, collection, 'a')}/items" if path == "items" else path
    answer = call("GET", f"{path}?limit={limit}")
    assert (answer.status_code, pointers(answer)) == (422, ["?limit"])


@pytest.mark.parametrize("limit", [0, -1, 10**9, 10**400, 1.5, "10", None])
@pytest.mark.parametrize("path", ["search", "/v1/route", "/v1/catalog/search", "/v1/jobs:retry"])
def test_a_limit_in_a_body_is_one_that_there_can_be(call: Call, collection: str, path: str, limit: Any) -> None:
    path = path if path.startswith("/") else f"{collection}/{path}"
    sent = {"code": "poison"} if path.endswith(":retry") else {"query": "q"}
    answer = call("POST", path, json=sent | {"limit": limit})
    assert (answer.status_code, pointers(answer)) == (422, ["/limit"])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "nan"])
def test_a_vector_of_what_is_no_number_is_no_json(call: Call, collection: str, number: str) -> None:
    sent = f'{{"vector": [{number}, 0, 0, 0]}}'.encode()
    answer = call("POST", f"{collection}/search", data=sent, content_type="application/json")
    assert (answer.status_code, body(answer)["code"]) == (400, "malformed")
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(("dimensions", "said"), [(1537, "1536"), (0, "1"), (-1, "1"), (10**9, "4000"), (None, None)])
def test_dimensions_that_the_model_does_not_have_are_refused_with_those_that_it_has(
    call: Call, api_settings: Settings, dimensions: Any, said: str | None
) -> None:
    assert api_settings.models["text-embedding-3-small"].dimensions == 1536
    name = f"/v1/collections/dimensions-{uuid4().hex[:8]}"
    answer = call("PUT", name, json={"model": "text-embedding-3-small", "dimensions": dimensions})
    if said is None:  # left out: the model's own
        assert (answer.status_code, body(answer)["dimensions"]) == (201, 1536)
        return
    assert (answer.status_code, pointers(answer)) == (422, ["/dimensions"])
    assert said in body(answer)["errors"][0]["detail"]


@pytest.mark.parametrize("job_id", ["1", "x", "%00", "-", "00000000-0000-7000-8000-00000000000g", "a" * 5000])
@pytest.mark.parametrize(
    ("method", "action"), [("GET", ""), ("GET", "/items"), ("POST", ":cancel"), ("POST", ":retry")]
)
def test_an_id_that_is_none_names_nothing(call: Call, method: str, action: str, job_id: str) -> None:
    answer = call(method, f"/v1/jobs/{job_id}{action}")
    assert (answer.status_code, body(answer)["code"]) == (404, "not_found")
    assert "check its path, and the id in it" in body(answer)["detail"]


@pytest.mark.parametrize(
    ("path", "cursor"),
    [
        ("/v1/jobs", "x"),
        ("/v1/jobs", "1"),
        ("/v1/jobs", ""),
        ("/v1/collections", "%00"),
        ("/v1/collections", "a" * 1001),
        ("/v1/connections", "%00"),
        ("items", "-1"),
        ("items", "x"),
        ("items", str(2**31)),
    ],
)
def test_a_cursor_that_no_page_gave_is_refused(call: Call, collection: str, path: str, cursor: str) -> None:
    path = f"{submit(call, collection, 'a')}/items" if path == "items" else path
    answer = call("GET", f"{path}?cursor={cursor}")
    assert (answer.status_code, pointers(answer)) == (422, ["?cursor"])


def test_a_cursor_is_a_place_and_shows_nothing_of_another_filter_or_tenant(
    call: Call, stranger: Call, collection: str
) -> None:
    for name in "abc":
        submit(call, collection, name)
    name = collection.rpartition("/")[2]
    cursor = body(call("GET", f"/v1/jobs?collection={name}&limit=1"))["next_cursor"]
    assert len(body(call("GET", f"/v1/jobs?collection={name}&cursor={cursor}"))["data"]) == 2
    assert body(call("GET", f"/v1/jobs?collection={name}&status=failed&cursor={cursor}"))["data"] == []
    assert body(stranger("GET", f"/v1/jobs?cursor={cursor}"))["data"] == []


def test_anothers_names_in_a_body_or_a_query_are_unknown(call: Call, stranger: Call, collection: str) -> None:
    name = collection.rpartition("/")[2]
    for answer in (
        stranger("POST", "/v1/route", json={"query": "q", "collections": [name]}),
        stranger("POST", "/v1/jobs:retry", json={"collection": name}),
        stranger("GET", f"/v1/jobs?collection={name}"),
        stranger("POST", "/v1/catalog/search", json={"query": "q", "connections": ["shop"]}),
    ):
        assert (answer.status_code, body(answer)["code"]) == (404, "not_found")


def test_a_tenant_may_use_anothers_names_and_changes_nothing_there(call: Call, stranger: Call, collection: str) -> None:
    assert stranger("PUT", collection, json={"dimensions": 8}).status_code == 201
    assert body(call("GET", collection))["dimensions"] == 4
    submit(call, collection, "a")
    assert stranger("GET", f"{collection}/documents/a").status_code == 404
    assert stranger("DELETE", collection).status_code == 204
    assert call("GET", f"{collection}/documents/a").status_code == 200


@pytest.mark.parametrize(
    "path", ["documents", "documents:batch", "embeddings", "search", "index:rebuild", "index:rollback"]
)
def test_an_unknown_collection_is_404_with_how_to_make_it(call: Call, path: str) -> None:
    sent: Any = {"documents": {"text": "t"}, "search": {"query": "q"}}.get(path, [{"external_id": "a", "text": "t"}])
    answer = call("POST", f"/v1/collections/nowhere/{path}", json=sent)
    assert (answer.status_code, body(answer)["code"]) == (404, "not_found")
    assert "PUT /v1/collections/nowhere" in body(answer)["detail"]


@pytest.mark.parametrize("path", ["documents:batch", "embeddings"])
def test_one_bad_item_of_2000_fails_alone(call: Call, collection: str, path: str) -> None:
    items = [{"external_id": f"d{number}", "text": "t"} for number in range(2000)]
    items[1234]["text"] = " "
    answer = call("POST", f"{collection}/{path}", json=items)
    assert answer.status_code == 202
    assert body(answer)["counts"].items() >= {"total": 2000, "failed": 1}.items()
    [failed] = body(call("GET", f"{answer.headers['Location']}/items?status=failed"))["data"]
    assert (failed["index"], failed["external_id"]) == (1234, "d1234")
    assert failed["error"] == {"code": "invalid", "detail": "/text must not be blank"}


@pytest.mark.parametrize("part", [b'name=""', b"", b'name="a\r"', b'name="%0D"'])
def test_a_part_of_a_form_without_a_name_is_refused(call: Call, collection: str, part: bytes) -> None:
    head = b"--b\r\nContent-Disposition: form-data; "
    sent = (
        head
        + b'name="title"\r\n\r\nt\r\n'
        + head
        + part
        + b"\r\n\r\nx\r\n"
        + head
        + b'name="file"; filename="a.txt"\r\n\r\nt\r\n--b--\r\n'
    )
    for path in ("documents", "documents:batch"):
        answer = call("POST", f"{collection}/{path}", data=sent, content_type="multipart/form-data; boundary=b")
        assert answer.status_code in (400, 422), path
        assert answer.content_type == "application/problem+json"
