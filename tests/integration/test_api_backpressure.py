"""Accepting is bounded by what waits."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from api_client import Call, body, caller
from werkzeug.test import TestResponse

from api.app import create_app
from dbrag.database.pool import connect
from dbrag.jobs.backlog import Backlog
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]
KIB = 1024


@contextmanager
def bounded(settings: Settings, *tenants: str, **bounds: int) -> Iterator[list[Call]]:
    """The API with other bounds, for each of these keys, whose tenants have a collection `c`."""
    app = create_app(settings.model_copy(update=bounds))
    try:
        calls = [caller(app, key) for key in tenants]
        for call in calls:
            call("PUT", "/v1/collections/c", json={"dimensions": 4})
        yield calls
    finally:
        app.extensions["dbrag"].close()


@pytest.fixture
def new_key(key: Callable[..., str]) -> str:
    """A key of a tenant that has nothing."""
    return key(tenant=f"bounded-{uuid4()}")


def post(call: Call, path: str = "documents", **request: Any) -> TestResponse:
    return call("POST", f"/v1/collections/c/{path}", **request or {"json": {"text": "t"}})


def refused(answer: TestResponse) -> tuple[int, str, bool, str | None]:
    problem = body(answer)
    return answer.status_code, problem["code"], problem["retryable"], answer.headers.get("Retry-After")


def test_a_tenant_with_too_many_jobs_is_told_to_come_later_before_its_body_is_read(
    api_settings: Settings, new_key: str, key: Callable[..., str]
) -> None:
    another = key(tenant=f"other-{uuid4()}")
    with bounded(api_settings, new_key, another, waiting_jobs_of_a_tenant=2) as (call, others):
        jobs = [body(post(call))["id"] for _ in range(2)]
        for path in ("documents", "documents:batch", "embeddings"):
            assert refused(post(call, path, data=b"{")) == (429, "too_much_waiting", True, "10")
        assert "2 jobs wait, and 2 may" in body(post(call))["detail"]
        assert post(others).status_code == 202
        assert len(body(call("GET", "/v1/jobs"))["data"]) == len(jobs)


def test_over_the_bound_of_all_it_is_the_service_that_cannot(api_settings: Settings, new_key: str) -> None:
    with bounded(api_settings, new_key, waiting_jobs=1) as (call,):
        post(call)  # other tests' jobs wait as well
        assert refused(post(call)) == (503, "too_much_waiting", True, "10")
        assert call("POST", "/v1/collections/c/index:rebuild").status_code == 202


def test_bytes_are_bounded_by_what_was_announced_or_found(api_settings: Settings, new_key: str) -> None:
    with bounded(api_settings, new_key, waiting_mb_of_a_tenant=1) as (call,):
        text = "a" * (600 * KIB)
        assert post(call, json={"text": text}).status_code == 202
        answer = post(call, json={"text": text})
        assert refused(answer)[:2] == (429, "too_much_waiting")
        assert "0.6 MiB wait, 0.6 MiB would come, and 1.0 MiB may wait" in body(answer)["detail"]
        assert post(call).status_code == 202
        chunked = {"data": b'{"text": "' + text.encode() + b'"}', "content_type": "application/json"}
        unannounced = {"headers": {"Content-Length": ""}, "environ_overrides": {"wsgi.input_terminated": True}}
        assert refused(post(call, **chunked, **unannounced))[:2] == (429, "too_much_waiting")


def test_what_was_submitted_is_on_the_job_and_what_is_over_makes_room(api_settings: Settings, new_key: str) -> None:
    with bounded(api_settings, new_key, waiting_jobs_of_a_tenant=1) as (call,), connect(api_settings) as conn:
        batch = [{"external_id": "a", "text": "äö"}, {"external_id": "b", "text": ""}, {"text": "c"}]
        job_id = body(post(call, "documents:batch", json=batch))["id"]
        assert conn.execute("SELECT bytes FROM jobs WHERE id = %s", [job_id]).fetchone() == (5,)
        assert post(call).status_code == 429
    with bounded(api_settings, new_key, waiting_jobs_of_a_tenant=1) as (call,):  # another process counts anew
        assert post(call).status_code == 429
    with connect(api_settings) as conn:
        conn.execute(
            "UPDATE jobs SET status = 'failed', failed = total, finished_at = now(), publish_at = NULL WHERE id = %s",
            [job_id],
        )
    with bounded(api_settings, new_key, waiting_jobs_of_a_tenant=1) as (call,):
        assert post(call).status_code == 202


def test_a_burst_in_one_process_does_not_run_over_the_bound(api_settings: Settings, new_key: str) -> None:
    with bounded(api_settings, new_key, waiting_jobs_of_a_tenant=5) as (call,):
        statuses = [post(call).status_code for _ in range(12)]
    assert statuses == [202] * 5 + [429] * 7


def test_a_count_is_not_repeated_for_a_second(api_settings: Settings) -> None:
    app = create_app(api_settings)
    try:
        backlog, pool = Backlog(api_settings), app.extensions["dbrag"].runtime.pool
        before = pool.get_stats().get("requests_num", 0)
        for _ in range(1000):
            backlog.check(pool, uuid4(), 0)
        assert pool.get_stats()["requests_num"] - before <= 2
    finally:
        app.extensions["dbrag"].close()


def test_a_packed_batch_counts_with_what_it_unpacks_to(api_settings: Settings, new_key: str) -> None:
    packed = gzip.compress(b'{"text": "' + b"a" * 900 * KIB + b'"}')
    request = {"data": packed, "content_type": "application/x-ndjson", "headers": {"Content-Encoding": "gzip"}}
    with bounded(api_settings, new_key, waiting_mb_of_a_tenant=1) as (call,):
        assert post(call, "documents:batch", **request).status_code == 202
        assert refused(post(call, "documents:batch", **request)) == (429, "too_much_waiting", True, "10")
