"""Requests that are sent again with the same Idempotency-Key: one job, and the first answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest
from api_client import Call, body, caller, pointers
from werkzeug.test import TestResponse

from api.app import Api
from dbrag.accounts.keys import authenticate
from dbrag.database.pool import connect, open_pool
from dbrag.jobs import idempotency
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]
BATCH = [{"external_id": "a", "text": "A."}, {"external_id": "b", "text": "B."}]
REQUESTS: dict[str, dict[str, Any]] = {
    "documents": {"json": {"text": "A."}},
    "documents:batch": {"json": BATCH},
    "embeddings": {"json": BATCH},
    "index:rebuild": {},
}


def jobs_of(call: Call, collection: str) -> list[str]:
    return [job["id"] for job in body(call("GET", f"/v1/jobs?collection={collection.rpartition('/')[2]}"))["data"]]


@pytest.fixture
def send(call: Call, collection: str) -> Callable[..., TestResponse]:
    """POSTs to an address of the collection with a key."""

    def post(route: str, key: str, **request: Any) -> TestResponse:
        return call("POST", f"{collection}/{route}", headers={"Idempotency-Key": key}, **request)

    return post


@pytest.mark.parametrize("route", REQUESTS)
def test_the_same_request_makes_one_job_and_gets_the_first_answer(
    call: Call, collection: str, send: Callable[..., TestResponse], route: str
) -> None:
    first, second = (send(route, "once", **REQUESTS[route]) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.data == first.data
    assert second.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert jobs_of(call, collection) == [body(first)["id"]]


def test_a_form_is_the_same_whatever_its_boundary(
    call: Call, collection: str, send: Callable[..., TestResponse]
) -> None:
    def form(text: bytes) -> dict[str, Any]:
        return {"data": {"file": (BytesIO(text), "a.txt"), "metadata": "{}"}}

    first, second, other = (send("documents", "file", **form(text)) for text in (b"One.", b"One.", b"Two."))
    assert body(second)["id"] == body(first)["id"]
    assert (other.status_code, body(other)["code"]) == (422, "idempotency_key_reused")
    assert len(jobs_of(call, collection)) == 1


@pytest.mark.parametrize(
    "other", [{"json": {"text": "B."}}, {"json": {"text": "A."}, "query_string": "queue=low"}], ids=["body", "query"]
)
def test_another_request_with_the_key_is_refused(
    call: Call, collection: str, send: Callable[..., TestResponse], other: dict[str, Any]
) -> None:
    first = send("documents", "k", json={"text": "A."})
    refused = send("documents", "k", **other)
    assert (refused.status_code, body(refused)["code"]) == (422, "idempotency_key_reused")
    assert body(first)["id"] in body(refused)["detail"]
    assert len(jobs_of(call, collection)) == 1


def test_a_key_is_one_of_its_tenant_and_route(app: Api, key: Callable[..., str], call: Call, collection: str) -> None:
    other_tenant = caller(app, key(tenant=f"tenant {uuid4()}"))
    name = f"c-{uuid4().hex[:8]}"
    for each in (call, other_tenant):
        assert each("PUT", f"/v1/collections/{name}", json={"dimensions": 4}).status_code == 201
    sent = {"json": {"text": "A."}, "headers": {"Idempotency-Key": "the same"}}
    answers = [
        call("POST", f"{collection}/documents", **sent),
        call("POST", f"/v1/collections/{name}/documents", **sent),
        other_tenant("POST", f"/v1/collections/{name}/documents", **sent),
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert len({body(answer)["id"] for answer in answers}) == 3


@pytest.mark.parametrize("name", ["", "a" * 256, "ä", "a\tb"])
def test_a_key_is_1_to_255_printable_characters(send: Callable[..., TestResponse], name: str) -> None:
    answer = send("documents", name, json={"text": "A."})
    assert (answer.status_code, pointers(answer)) == (422, ["Idempotency-Key"])


def test_what_was_refused_can_be_sent_again(call: Call, collection: str, send: Callable[..., TestResponse]) -> None:
    assert send("documents", "k", json={"text": ""}).status_code == 422
    assert send("documents", "k", json={"text": "A."}).status_code == 202


@contextmanager
def begun(settings: Settings, request: idempotency.Request) -> Iterator[None]:
    """Somebody is at work on this request."""
    with connect(settings) as conn:
        assert idempotency.begin(conn, request) is None
        yield
        conn.rollback()


def test_a_request_that_is_being_answered_is_not_begun_twice(
    api_settings: Settings, key: Callable[..., str], call: Call, collection: str, send: Callable[..., TestResponse]
) -> None:
    with connect(api_settings) as conn:
        tenant_id = authenticate(conn, key()).tenant_id
    under_way = idempotency.Request(tenant_id, f"POST {collection}/documents", "k", sha256(b"").digest())
    with begun(api_settings, under_way):
        answer = send("documents", "k", json={"text": "A."})
        assert (answer.status_code, body(answer)["code"]) == (409, "in_flight")
        assert body(answer)["retryable"]
        assert answer.headers["Retry-After"] == "1"
    assert send("documents", "k", json={"text": "A."}).status_code == 202


def test_many_at_once_make_one_job(call: Call, collection: str, send: Callable[..., TestResponse]) -> None:
    together, answers = Barrier(8), list[TestResponse]()

    def run() -> None:
        together.wait()
        answers.append(send("documents", "k", json={"text": "A."}))

    threads = [Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert jobs_of(call, collection) == list({body(one)["id"] for one in answers if one.status_code == 202})


def test_a_key_is_free_again_after_a_day(
    api_settings: Settings, call: Call, collection: str, send: Callable[..., TestResponse]
) -> None:
    first = send("documents", "k", json={"text": "A."})
    with connect(api_settings) as conn:
        conn.execute(
            "UPDATE idempotency_keys SET created_at = now() - interval '24 hours' WHERE job_id = %s",
            [body(first)["id"]],
        )
    second = send("documents", "k", json={"text": "B."})
    assert second.status_code == 202
    assert body(second)["id"] != body(first)["id"]
    assert body(send("documents", "k", json={"text": "B."}))["id"] == body(second)["id"]


def test_old_answers_are_forgotten(
    api_settings: Settings, call: Call, collection: str, send: Callable[..., TestResponse]
) -> None:
    old, young = (body(send("documents", key, json={"text": "A."}))["id"] for key in ("old", "young"))
    with connect(api_settings) as conn:
        conn.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE job_id = %s", [old])
    pool = open_pool(api_settings, 1)
    try:
        assert idempotency.forget_old(pool) >= 1
    finally:
        pool.close()
    with connect(api_settings) as conn:
        kept = conn.execute("SELECT job_id FROM idempotency_keys WHERE job_id::text = ANY(%s)", [[old, young]])
        assert [str(row[0]) for row in kept] == [young]


def test_a_job_is_cancelled_once(call: Call, collection: str, send: Callable[..., TestResponse]) -> None:
    job_id = body(send("documents", "k", json={"text": "A."}))["id"]
    first, second = (call("POST", f"/v1/jobs/{job_id}:cancel", headers={"Idempotency-Key": "c"}) for _ in range(2))
    assert first.status_code == second.status_code == 202
    assert second.data == first.data
