"""Jobs over HTTP: pages, filters, cancelling, moving, retrying, waiting, queues."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from api_client import Call, body, caller, pointers

from api.app import Api
from dbrag.database.pool import connect
from dbrag.devstack.servers import Servers
from dbrag.documents import endings
from dbrag.errors import Permanent
from dbrag.jobs.relay import Relay
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]


def test_lists_come_in_pages(call: Call, collection: str) -> None:
    name = collection.rpartition("/")[2]
    sent = [body(call("POST", f"{collection}/documents", json={"text": "t"}))["id"] for _ in range(5)]
    seen, cursor = [], ""
    while True:
        page = body(call("GET", f"/v1/jobs?collection={name}&status=queued&limit=2{cursor}"))
        seen += [job["id"] for job in page["data"]]
        assert page["has_more"] == (page["next_cursor"] is not None)
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == sent[::-1]
    assert body(call("GET", f"/v1/jobs?collection={name}&queue=low"))["data"] == []
    assert body(call("GET", f"/v1/jobs?collection={name}&kind=batch_embed"))["data"] == []


def test_items_come_in_pages(call: Call, collection: str) -> None:
    batch = [{"external_id": str(number), "text": "t"} for number in range(3)]
    items = f"{call('POST', f'{collection}/documents:batch', json=batch).headers['Location']}/items"
    first = body(call("GET", f"{items}?limit=2"))
    rest = body(call("GET", f"{items}?limit=2&cursor={first['next_cursor']}"))
    assert [item["index"] for item in first["data"] + rest["data"]] == [0, 1, 2]
    assert not rest["has_more"]
    assert body(call("GET", f"{items}?status=failed"))["data"] == []


def test_collections_come_in_pages(app: Api, key: Callable[..., str]) -> None:
    call = caller(app, key(tenant="has three collections"))
    for name in ("c", "a", "b"):
        assert call("PUT", f"/v1/collections/{name}", json={"dimensions": 4}).status_code == 201
    first = body(call("GET", "/v1/collections?limit=2"))
    rest = body(call("GET", f"/v1/collections?limit=2&cursor={first['next_cursor']}"))
    assert [entry["name"] for entry in first["data"] + rest["data"]] == ["a", "b", "c"]
    assert (first["has_more"], rest["has_more"]) == (True, False)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=x",
        "status=lost",
        "kind=x",
        "queue=x",
        "since=x",
        "until=2026-11-21T08:00:00",
    ],
)
def test_a_wrong_filter_is_refused_with_its_name(call: Call, query: str) -> None:
    answer = call("GET", f"/v1/jobs?{query}")
    assert answer.status_code == 422
    assert pointers(answer) == [f"?{query.partition('=')[0]}"]


def test_a_job_is_cancelled_and_what_is_not_over_is_not_retried(call: Call, collection: str) -> None:
    job = call("POST", f"{collection}/documents", json={"text": "t"}).headers["Location"]
    assert call("POST", f"{job}:retry").status_code == 409
    cancelled = call("POST", f"{job}:cancel")
    assert (cancelled.status_code, body(cancelled)["status"]) == (202, "cancelling")
    assert cancelled.headers["Location"] == job


def test_a_job_moves_to_another_queue(call: Call, collection: str) -> None:
    job = call("POST", f"{collection}/documents?queue=low", json={"text": "t"}).headers["Location"]
    for _ in range(2):
        moved = call("POST", f"{job}:reprioritise", json={"queue": "critical"})
        assert (moved.status_code, body(moved)["queue"], moved.headers["Location"]) == (202, "critical", job)
    call("POST", f"{job}:cancel")
    over = call("POST", f"{job}:reprioritise", json={"queue": "critical"})
    assert (over.status_code, body(over)["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [({"queue": "urgent"}, "/queue"), ({}, "/queue"), ({"queue": "low", "when": "now"}, "/when"), ([], "")],
)
def test_a_job_moves_to_a_queue_that_there_is(call: Call, sent: object, pointer: str) -> None:
    answer = call("POST", "/v1/jobs/00000000-0000-7000-8000-000000000000:reprioritise", json=sent)
    assert (answer.status_code, pointers(answer)) == (422, [pointer])


def test_failed_jobs_are_looked_at_and_then_tried_again_by_filter(
    call: Call, collection: str, api_settings: Settings
) -> None:
    name = collection.rpartition("/")[2]
    jobs = [body(call("POST", f"{collection}/documents", json={"text": "t"})) for _ in range(3)]
    with connect(api_settings) as conn:
        for job in jobs:
            endings.fail(conn, UUID(job["id"]), Permanent("no", code=f"code-{name}"))
    since = jobs[1]["created_at"]
    listed = body(call("GET", f"/v1/jobs?status=failed&code=code-{name}&since={since}"))["data"]
    assert [job["id"] for job in listed] == [jobs[2]["id"], jobs[1]["id"]]
    wanted = {"status": "failed", "kind": "ingest_document", "queue": "default", "collection": name, "limit": 1}
    first = call("POST", "/v1/jobs:retry", json=wanted | {"code": f"code-{name}", "since": since})
    assert first.status_code == 202
    assert body(first).items() >= {"retried": 1, "skipped": 0, "has_more": True, "next_cursor": jobs[1]["id"]}.items()
    assert [(job["id"], job["status"]) for job in body(first)["data"]] == [(jobs[1]["id"], "queued")]
    rest = body(call("POST", "/v1/jobs:retry", json=wanted | {"limit": 9, "cursor": body(first)["next_cursor"]}))
    assert ([job["id"] for job in rest["data"]], rest["has_more"], rest["next_cursor"]) == (
        [jobs[2]["id"]],
        False,
        None,
    )
    none = body(call("POST", "/v1/jobs:retry", json={"code": "no-such-code"}))
    assert (none["data"], none["retried"]) == ([], 0)


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({}, ""),
        ({"limit": 5}, ""),
        ({"status": None}, ""),
        ({"status": "succeeded"}, "/status"),
        ({"code": "x", "limit": 1001}, "/limit"),
        ({"since": "yesterday"}, "/since"),
        ({"until": "2026-11-21T08:00:00"}, "/until"),
        ({"codes": "x"}, "/codes"),
        ({"queue": "urgent"}, "/queue"),
    ],
)
def test_a_retry_of_many_needs_a_filter_that_there_is(call: Call, sent: object, pointer: str) -> None:
    answer = call("POST", "/v1/jobs:retry", json=sent)
    assert (answer.status_code, pointers(answer)) == (422, [pointer])


def test_a_retry_of_a_collection_that_is_not_there_is_404(call: Call) -> None:
    assert call("POST", "/v1/jobs:retry", json={"collection": "no-such"}).status_code == 404


def test_an_answer_is_held_until_the_job_ends_if_that_is_preferred(
    app: Api, call: Call, collection: str, api_settings: Settings
) -> None:
    runtime = app.extensions["dbrag"].runtime
    name = collection.rpartition("/")[2]
    with ThreadPoolExecutor(1) as threads:
        prefer = {"Prefer": "wait=30"}
        held = threads.submit(call, "POST", f"{collection}/documents", json={"text": "t"}, headers=prefer)
        while not (jobs := body(call("GET", f"/v1/jobs?collection={name}"))["data"]):
            assert not held.done()
        call("POST", f"/v1/jobs/{jobs[0]['id']}:cancel")
        Relay(runtime.pool, runtime.broker, api_settings).end_cancelled()
        answer = held.result()
    assert (answer.status_code, body(answer)["status"]) == (202, "cancelled")


def test_a_held_answer_comes_when_the_time_is_over(call: Call, collection: str) -> None:
    answer = call("POST", f"{collection}/documents", json={"text": "t"}, headers={"Prefer": "wait=1"})
    assert (answer.status_code, body(answer)["status"]) == (202, "queued")


def test_the_queues_are_listed_most_urgent_first(call: Call) -> None:
    queues = body(call("GET", "/v1/queues"))["data"]
    assert [queue["name"] for queue in queues] == ["critical", "default", "low"]
    fields = {"name", "waiting", "running", "oldest_age_s", "pending_texts", "consumed_at", "messages"}
    assert all(queue.keys() == fields for queue in queues)


def test_jobs_are_accepted_while_the_broker_is_away_and_readiness_says_so(
    call: Call, collection: str, servers: Servers
) -> None:
    assert body(call("GET", "/readyz"))["status"] == "ready"
    servers["redis-broker"].kill()
    try:
        assert call("POST", f"{collection}/documents", json={"text": "t"}).status_code == 202
        assert {queue["messages"] for queue in body(call("GET", "/v1/queues"))["data"]} == {None}
        away = call("GET", "/readyz")
        assert away.status_code == 503
        assert {name: check["ok"] for name, check in body(away)["checks"].items()} == {
            "database": True,
            "schema": True,
            "broker": False,
        }
    finally:
        servers["redis-broker"].restart()
    assert body(call("GET", "/readyz"))["status"] == "ready"
