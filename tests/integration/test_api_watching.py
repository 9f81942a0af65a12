"""Whoever watches a job over HTTP: tags, preferences, reasons, and streams where the server keeps its sockets."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from api_client import Call, body

from dbrag.database.pool import connect
from dbrag.documents import endings
from dbrag.errors import Permanent
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]


@pytest.fixture
def job(call: Call, collection: str) -> str:
    """The path of a job that waits."""
    return call("POST", f"{collection}/documents", json={"text": "t"}).headers["Location"]


def fail(settings: Settings, job: str) -> None:
    with connect(settings) as conn:
        endings.fail(conn, UUID(job.rpartition("/")[2]), Permanent("no", code="told_to"))


@pytest.mark.parametrize("suffix", ["", "/items"])
def test_what_is_known_is_not_sent_again_until_it_changes(
    call: Call, job: str, api_settings: Settings, suffix: str
) -> None:
    with connect(api_settings) as conn:  # in no line, where others move it up
        later = "UPDATE jobs SET reason_code = 'x', reason_until = '2100-01-01Z' WHERE id = %s"
        conn.execute(later, [job.rpartition("/")[2]])
    first = call("GET", job + suffix)
    assert first.status_code == 200
    tag = first.headers["ETag"]
    assert tag.startswith('W/"')
    for known in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        again = call("GET", job + suffix, headers={"If-None-Match": known})
        assert (again.status_code, again.text, again.headers["ETag"]) == (304, "", tag)
    assert call("GET", job + suffix, headers={"If-None-Match": '"other"'}).status_code == 200
    fail(api_settings, job)
    changed = call("GET", job + suffix, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


def test_a_tag_hides_nothing_from_nobody(call: Call) -> None:
    path = "/v1/jobs/01a1fc29-a62b-7120-8a77-f74981022517"
    assert call("GET", path, headers={"If-None-Match": "*"}).status_code == 404


def test_a_preference_that_was_honoured_is_named(call: Call, collection: str) -> None:
    def send(**headers: str) -> str | None:
        answer = call("POST", f"{collection}/documents", json={"text": "t"}, headers=headers)
        assert answer.status_code == 202
        return answer.headers.get("Preference-Applied")

    assert send() is None
    assert send(Prefer="respond-async") is None
    assert send(Prefer="wait=1") == "wait=1"
    with ThreadPoolExecutor(8) as pool:
        applied = list(pool.map(lambda _: send(Prefer="wait=2"), range(8)))
    assert sorted(map(str, applied)) == ["None"] * 4 + ["wait=2"] * 4, "half of the threads wait, the others answer"


def test_a_job_that_nobody_has_begun_says_what_it_waits_for(call: Call, job: str, api_settings: Settings) -> None:
    seen = body(call("GET", job))
    assert seen["status_reason"]["code"] == "waiting_for_worker"
    assert f"number {seen['progress']['queue_position']:,} in line" in seen["status_reason"]["detail"]
    with connect(api_settings) as conn:  # as `not_published` leaves it
        conn.execute(
            "UPDATE jobs SET publish_at = now() + interval '1 hour', publish_count = 0 WHERE id = %s",
            [job.rpartition("/")[2]],
        )
    seen = body(call("GET", job))["status_reason"]
    assert (seen["code"], bool(seen["until"])) == ("broker_unavailable", True)
    assert body(call("POST", f"{job}:cancel"))["status_reason"]["code"] == "cancelling"


def test_without_a_socket_to_hand_over_a_stream_comes_from_the_thread(
    call: Call, job: str, api_settings: Settings
) -> None:
    fail(api_settings, job)
    for _ in range(5):  # more than there are seats
        with call("GET", f"{job}/events") as answer:
            assert answer.content_type == "text/event-stream; charset=utf-8"
            assert answer.headers["Cache-Control"] == "no-store"
            events = [line for line in answer.text.splitlines() if line.startswith("event: ")]
        assert events == ["event: status", "event: status", "event: end"]
    assert call("HEAD", f"{job}/events").status_code == 200


def test_such_streams_leave_half_of_the_threads(call: Call, job: str, api_settings: Settings) -> None:
    running = [call("GET", f"{job}/events") for _ in range(4)]
    refused = call("GET", f"{job}/events")
    assert (refused.status_code, body(refused)["code"]) == (503, "too_many_streams")
    assert refused.headers["Retry-After"]
    for answer in running:
        answer.close()
    fail(api_settings, job)
    with call("GET", f"{job}/events") as answer:
        assert "event: end" in answer.text
