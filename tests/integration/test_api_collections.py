"""Collections over HTTP: made, seen, paused, deleted, refused."""

from typing import Any
from uuid import UUID

import pytest
from api_client import Call, body, pointers

from dbrag.database.pool import connect
from dbrag.jobs import claims
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]


def test_a_collection_is_made_once_and_then_stands(call: Call) -> None:
    wish = {"model": "text-embedding-3-large", "dimensions": 8, "chunking": {"max_tokens": 100, "overlap_tokens": 10}}
    made, again = call("PUT", "/v1/collections/twice", json=wish), call("PUT", "/v1/collections/twice")
    assert (made.status_code, again.status_code) == (201, 200)
    assert body(made) == body(again) == body(call("GET", "/v1/collections/twice"))
    assert body(made).items() >= ({"name": "twice", "storage": "halfvec"} | wish).items()


def test_a_deleted_collection_is_gone(call: Call, collection: str) -> None:
    assert call("DELETE", collection).status_code == 204
    assert call("GET", collection).status_code == 404
    assert call("DELETE", collection).status_code == 404


def test_a_paused_collection_accepts_and_is_searched_and_its_jobs_wait(
    call: Call, collection: str, api_settings: Settings
) -> None:
    assert body(call("GET", collection))["paused_at"] is None
    first, again = call("POST", f"{collection}:pause"), call("POST", f"{collection}:pause")
    assert (first.status_code, again.status_code) == (200, 200)
    assert body(first)["paused_at"] is not None
    assert body(first) == body(again) == body(call("GET", collection))
    accepted = call("POST", f"{collection}/documents", json={"external_id": "a", "text": "t"})
    assert accepted.status_code == 202
    job_id = UUID(body(accepted)["id"])
    with connect(api_settings) as conn:
        assert claims.take(conn, job_id, api_settings) is None
    assert call("POST", f"{collection}/search", json={"vector": [1, 0, 0, 0]}).status_code == 200
    for _ in range(2):
        assert body(call("POST", f"{collection}:resume"))["paused_at"] is None
    with connect(api_settings) as conn:
        assert claims.take(conn, job_id, api_settings) is not None
        conn.rollback()
    assert call("DELETE", f"{collection}/documents/a").status_code == 204


def test_a_collection_that_is_not_there_is_not_paused(call: Call) -> None:
    assert call("POST", "/v1/collections/no-such:pause").status_code == 404
    assert call("POST", "/v1/collections/No%20Name:resume").status_code == 404


@pytest.mark.parametrize("name", ["Upper", "-a", "a" * 64, "ä", "a b", "a.b", "a%0A", "a%00"])
def test_a_name_that_no_collection_can_have(call: Call, name: str) -> None:
    assert pointers(call("PUT", f"/v1/collections/{name}", json={})) == ["{name}"]
    assert call("GET", f"/v1/collections/{name}").status_code == 404


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"chunking": {"max_tokens": "100"}}, "/chunking/max_tokens"),
        ({"chunking": {"max_tokens": 15}}, "/chunking/max_tokens"),
        ({"chunking": {"size": 1}}, "/chunking/size"),
        ({"chunking": {"max_tokens": 20, "overlap_tokens": 20}}, "/chunking/overlap_tokens"),
        ({"dimensions": 4.5}, "/dimensions"),
        ({"dimensions": 4001}, "/dimensions"),
        ({"storage": "bit"}, "/storage"),
        ({"model": "no-such-model"}, "/dimensions"),
        ({"colour": "red"}, "/colour"),
        ([], ""),
    ],
)
def test_a_wrong_wish_is_refused_with_its_place(call: Call, wish: Any, pointer: str) -> None:
    answer = call("PUT", "/v1/collections/never-made", json=wish)
    assert answer.status_code == 422
    assert pointers(answer) == [pointer]
    assert call("GET", "/v1/collections/never-made").status_code == 404


def test_the_index_is_described_and_one_rebuild_stands_at_a_time(call: Call, collection: str) -> None:
    assert body(call("GET", f"{collection}/index"))["settings"]["dimensions"] == 4
    first, second = call("POST", f"{collection}/index:rebuild"), call("POST", f"{collection}/index:rebuild")
    assert (first.status_code, second.status_code) == (202, 202)
    assert body(first)["kind"] == "rebuild_index"
    assert body(first)["id"] == body(second)["id"]
