"""Events and waiting against a scripted server: streams that break, are refused, or do not exist."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from scripted_api import JOB, SILENCE, Answer, Script, Seen, scripted_api

from dbrag.client import Unreachable
from dbrag.errors import NotFound, Transient
from dbrag.jobs.model import Status

STREAM = {"Content-Type": "text/event-stream"}
# More than is sent: the connection breaks in the middle.
BROKEN = STREAM | {"Content-Length": "99999"}
ENDED = JOB | {"status": "succeeded"}
NONE = (404, {}, {"code": "not_found", "detail": "no such address"})
NOT_YET = (422, {}, {"code": "not_available", "detail": "not in this release"})


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted_api() as script:
        yield script


def status(event_id: int, state: str) -> bytes:
    at = "2026-11-28T12:00:00Z"
    body = {"id": event_id, "job_id": "0199", "status": state, "attempt": 1, "at": at, "status_reason": None}
    return f"id: {event_id}\nevent: status\ndata: {json.dumps(body)}\n\n".encode()


def job(event: str, body: dict[str, Any]) -> bytes:
    return f"event: {event}\ndata: {json.dumps(body, ensure_ascii=False)}\n\n".encode()


def test_events_are_read_until_the_job_ends(script: Script) -> None:
    body = (
        status(1, "running") + b": keep-alive\n\n" + job("progress", JOB) + status(2, "succeeded") + job("end", ENDED)
    )
    script.answers = [(200, STREAM, body)]
    with script.client() as client:
        events = list(client.events("0199"))
    assert [(event.kind, event.id) for event in events] == [
        ("status", "1"),
        ("progress", None),
        ("status", "2"),
        ("end", None),
    ]
    assert [event.change.status for event in events if event.change] == [Status.RUNNING, Status.SUCCEEDED]
    assert events[-1].job is not None
    assert events[-1].job.status is Status.SUCCEEDED
    assert script.seen[0].path == "/v1/jobs/0199/events"
    assert "Last-Event-ID" not in script.seen[0].headers


def test_a_broken_stream_is_taken_up_behind_the_last_event(script: Script) -> None:
    script.answers = [
        (200, BROKEN, status(7, "running") + status(8, "held")[:-9]),
        SILENCE,
        (200, STREAM, status(8, "held")),  # ends without `end`, as a proxy that has waited long enough does
        (200, STREAM, job("end", ENDED)),
    ]
    with script.client() as client:
        events = list(client.events("0199", last_event_id="6"))
    assert [event.id for event in events] == ["7", "8", None]
    assert [seen.headers["Last-Event-ID"] for seen in script.seen] == ["6", "7", "7", "8"]


def test_a_stream_in_which_nothing_happens_is_well_however_often_it_breaks(script: Script) -> None:
    script.answers = [(200, BROKEN, b": keep-alive\n\n")] * 3 + [(200, STREAM, job("end", ENDED))]
    with script.client(patience_s=0.4) as client:
        assert [event.kind for event in client.events("0199")] == ["end"]


def test_a_stream_that_is_always_empty_is_given_up(script: Script) -> None:
    script.answer = lambda _: (200, BROKEN, b"")
    with script.client(patience_s=0.3) as client, pytest.raises(Unreachable):
        list(client.events("0199"))


def test_what_is_no_end_of_a_line_does_not_end_one(script: Script) -> None:
    detail = "one\u2028two\x85three"
    script.answers = [(200, STREAM, job("end", ENDED | {"status_reason": {"code": "x", "detail": detail}}))]
    with script.client() as client:
        (event,) = client.events("0199")
    assert event.job is not None
    assert event.job.status_reason is not None
    assert event.job.status_reason.detail == detail


def test_events_of_a_newer_api_are_passed_over(script: Script) -> None:
    script.answers = [(200, STREAM, job("weather", {"sun": True}) + b"data: x\n\n" + job("end", ENDED))]
    with script.client() as client:
        assert [event.kind for event in client.events("0199")] == ["end"]


def test_waiting_goes_by_events(script: Script) -> None:
    def answer(seen: Seen) -> Answer:
        if seen.path.endswith("/events"):
            return 200, STREAM, status(1, "running") + job("progress", JOB) + job("end", ENDED)
        return 200, {}, JOB

    script.answer = answer
    with script.client() as client:
        assert client.wait("0199").status is Status.SUCCEEDED
    assert [seen.path for seen in script.seen] == ["/v1/jobs/0199", "/v1/jobs/0199/events"]


@pytest.mark.parametrize("refused", [NONE, NOT_YET, (503, {"Retry-After": "60"}, {"detail": "too many readers"})])
def test_where_there_are_no_events_the_job_is_asked_for_again_and_again(script: Script, refused: Answer) -> None:
    script.answers = [(200, {}, JOB), refused, (200, {}, JOB), (200, {}, ENDED)]
    with script.client() as client:
        assert client.wait("0199").status is Status.SUCCEEDED
    assert [seen.headers.get("Prefer") for seen in script.seen] == [None, None, "wait=20", "wait=20"]


def test_a_change_of_status_is_looked_at_once(script: Script) -> None:
    jobs = [JOB, JOB | {"status": "held"}]

    def answer(seen: Seen) -> Answer:
        if seen.path.endswith("/events"):
            return 200, STREAM, status(1, "running") + status(2, "held") + status(3, "held") + job("end", ENDED)
        return 200, {}, jobs.pop(0)

    script.answer = answer
    with script.client() as client:
        assert [one.status for one in client.watch("0199")] == [Status.RUNNING, Status.HELD, Status.SUCCEEDED]


def test_waiting_ends_with_the_time_that_was_given_for_it(script: Script) -> None:
    script.answer = lambda _: (200, {}, JOB)
    with script.client() as client, pytest.raises(Transient, match=r"has not ended within 0\.01 s") as caught:
        client.wait("0199", timeout_s=0.01)
    assert caught.value.code == "still_running"


def test_an_unknown_job_is_not_waited_for(script: Script) -> None:
    script.answer = lambda _: NONE
    with script.client() as client, pytest.raises(NotFound):
        client.wait("0199")
