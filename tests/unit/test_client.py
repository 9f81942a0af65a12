"""The client against a scripted server: patience, keys, errors, pages, batches."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from scripted_api import JOB, LATER, SILENCE, Script, scripted_api

from dbrag.client import Client, File, Unreachable
from dbrag.client.retry_after import retry_after_s
from dbrag.errors import Conflict, DbragError, Invalid, NotAvailable, Permanent, Transient, Unauthorized
from dbrag.jobs.model import ItemStatus, Queue, Status


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted_api() as script:
        yield script


def test_the_key_is_sent_as_a_bearer_token(script: Script) -> None:
    script.answers = [(200, {}, JOB)]
    with script.client() as client:
        assert client.job("0199").counts.total == 10
    assert script.seen[0].headers["Authorization"] == "Bearer key"


@pytest.mark.parametrize("status", [429, 503])
def test_a_request_that_comes_too_early_is_sent_again(script: Script, status: int) -> None:
    script.answers = [(status, {"Retry-After": "0"}, {}), (202, {}, JOB)]
    with script.client() as client:
        client.retry("0199")
    assert [seen.path for seen in script.seen] == ["/v1/jobs/0199:retry"] * 2


def test_an_api_that_falls_silent_after_an_answer_is_asked_again(script: Script) -> None:
    script.answers = [(200, {}, JOB), (0, {}, b""), (200, {}, JOB)]
    with script.client() as client:
        client.job("0199")
        client.job("0199")
    assert len(script.seen) == 3


def test_a_wait_beyond_the_clients_patience_is_not_begun(script: Script) -> None:
    script.answers = [(429, {"Retry-After": "3600"}, {"detail": "The budget is used up."})]
    with script.client() as client, pytest.raises(Transient, match=r"The budget is used up\."):
        client.job("0199")


def test_a_long_wait_is_announced_with_its_reason(script: Script) -> None:
    script.answers = [(429, {"Retry-After": "1"}, {"detail": "Too many jobs wait."}), (200, {}, JOB)]
    with script.client() as client:
        client.job("0199")
    assert script.notices == ["Too many jobs wait. Trying again for up to 5 s."]


def test_an_address_where_nobody_answers_is_reported_at_once() -> None:
    with (
        Client("http://127.0.0.1:9", "key", patience_s=3600) as client,
        pytest.raises(Unreachable, match=r"No API answers at http://127\.0\.0\.1:9 .*make up"),
    ):
        client.job("0199")


@pytest.mark.parametrize("api", ["localhost:8000", "ftp://127.0.0.1", "http://", "http://[::1"])
def test_an_address_that_is_no_http_url_is_a_clear_error(api: str) -> None:
    with pytest.raises(Permanent, match=r"is not (a|the) URL"):
        Client(api, "key")


@pytest.mark.parametrize(
    ("status", "body", "kind", "sentence"),
    [
        (409, {"detail": "It is over.", "code": "conflict"}, Conflict, "It is over."),
        (401, {"detail": "The key is unknown."}, Unauthorized, "The key is unknown."),
        (
            422,
            {"detail": "Two faults", "errors": [{"pointer": "/limit", "detail": "at most 1000"}, {"detail": "x"}]},
            Invalid,
            "Two faults (/limit: at most 1000; x)",
        ),
        (500, {"detail": "Oops.", "request_id": "r-1"}, Permanent, "Oops. (request id r-1)"),
        (404, b"<html>another program</html>", DbragError, "Not Found"),
        (302, b"", Permanent, "Found"),
    ],
)
def test_a_refusal_becomes_the_error_it_stands_for(
    script: Script, status: int, body: Any, kind: type[DbragError], sentence: str
) -> None:
    script.answers = [(status, {}, body)]
    with script.client() as client, pytest.raises(kind) as caught:
        client.job("0199")
    assert caught.value.detail.startswith(sentence)


def test_an_answer_that_is_not_dbrags_is_a_clear_error(script: Script) -> None:
    script.answers = [(200, {}, {"hello": "world"})]
    with script.client() as client, pytest.raises(Permanent, match="does not answer like the dbrag API"):
        client.job("0199")


def test_lists_are_read_page_by_page_up_to_the_limit(script: Script) -> None:
    page = {"data": [JOB, JOB], "has_more": True, "next_cursor": "c/1"}
    script.answers = [(200, {}, page), (200, {}, page)]
    with script.client() as client:
        assert len(client.jobs(3, status=Status.FAILED, kind=None)) == 3
    assert [seen.path for seen in script.seen] == [
        "/v1/jobs?status=failed&limit=3",
        "/v1/jobs?status=failed&limit=3&cursor=c%2F1",
    ]


def test_reading_a_list_ends_with_its_last_page(script: Script) -> None:
    script.answers = [(200, {}, {"data": [{"index": 0, "status": "failed"}], "has_more": False, "next_cursor": None})]
    with script.client() as client:
        assert [item.index for item in client.items("0199", ItemStatus.FAILED)] == [0]


def test_a_name_is_one_part_of_the_path_whatever_it_holds(script: Script) -> None:
    script.answers = [(200, {}, {"data": []})]
    with script.client() as client:
        client.search("a/b c%", "text", 3)
    assert script.seen[0].path == "/v1/collections/a%2Fb%20c%25/search"


def test_files_travel_as_parts_named_by_their_external_id(script: Script) -> None:
    script.answers = [LATER, (202, {}, JOB)]
    with script.client() as client:
        client.submit_files("docs", [File("sub/ä.txt", b"hello")], queue=Queue.LOW)
    assert script.seen[1].path == "/v1/collections/docs/documents:batch?queue=low"
    for seen in script.seen:  # the second sending must carry the files again
        assert 'name="file"; filename="sub/ä.txt"'.encode() in seen.body
        assert b"hello" in seen.body


def test_every_try_of_a_request_that_makes_a_job_has_the_same_key(script: Script) -> None:
    script.answers = [SILENCE, LATER, (502, {}, b""), (202, {}, JOB), (202, {}, JOB)]
    with script.client() as client:
        client.submit_files("docs", [File("a.txt", b"hello")])
        client.retry("0199")
    *submitted, retried = [seen.headers["Idempotency-Key"] for seen in script.seen]
    assert (len(submitted), len(set(submitted))) == (4, 1)
    assert retried != submitted[0]


def test_each_submission_has_a_key_of_its_own_unless_one_is_given(script: Script) -> None:
    script.answers = [(202, {}, JOB)] * 4
    with script.client() as client:
        for _ in range(2):
            client.submit("docs", [{"text": "hello"}])
        client.submit_document("docs", {"text": "hello"}, idempotency_key="mine")
        client.submit_texts("docs", [{"text": "hello"}], on_conflict="skip", idempotency_key="mine, too")
    keys = [seen.headers["Idempotency-Key"] for seen in script.seen]
    assert len(set(keys)) == 4
    assert keys[2:] == ["mine", "mine, too"]
    assert script.seen[3].path == "/v1/collections/docs/embeddings?queue=default&on_conflict=skip"


@pytest.mark.parametrize("key", ["", "a\nb", "ä", "x" * 256])
def test_an_idempotency_key_that_cannot_be_one_is_refused_here(script: Script, key: str) -> None:
    with script.client() as client, pytest.raises(Invalid, match="Idempotency-Key"):
        client.submit("docs", [{"text": "hello"}], idempotency_key=key)


def test_a_request_that_is_still_being_answered_is_waited_for(script: Script) -> None:
    in_flight = {"code": "in_flight", "detail": "The same request is being answered.", "retryable": True}
    script.answers = [(409, {"Retry-After": "0"}, in_flight), (202, {}, JOB)]
    with script.client() as client:
        assert client.submit("docs", [{"text": "hello"}]).id == JOB["id"]


NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("Sat, 28 Nov 2026 12:00:30 GMT", 30),
        ("Sat, 28 Nov 2026 11:00:00 GMT", 0),
        ("Saturday, 28-Nov-26 12:00:30 GMT", 30),
        ("soon", None),
        ("-1", None),
        ("", None),
        (None, None),
    ],
)
def test_when_to_come_back_is_a_number_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds


def test_a_date_to_come_back_at_is_kept(script: Script) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    script.answers = [(503, {"Retry-After": at}, {"detail": "Too much waits."})]
    with script.client() as client, pytest.raises(Transient) as caught:
        client.job("0199")
    assert caught.value.retry_after_s == pytest.approx(3600, abs=60)
    assert len(script.seen) == 1


def test_a_connection_that_breaks_at_the_first_request_is_tried_again(script: Script) -> None:
    script.answers = [SILENCE, (200, {}, JOB)]
    with script.client() as client:
        assert client.job("0199").id == JOB["id"]


@pytest.mark.parametrize("key", ["", "dbrag_x\n", "dbrag_ä", "Bearer dbrag_x"])
def test_a_key_that_cannot_be_one_is_refused_here(key: str) -> None:
    with pytest.raises(Permanent, match="not like `dbrag_"):
        Client("http://127.0.0.1:9", key)


def test_a_web_token_is_a_key_too() -> None:
    Client("http://127.0.0.1:9", "eyJhbGciOi.eyJzdWIi.c2ln-_=").close()


def test_an_api_that_cannot_tell_a_price_says_so(script: Script) -> None:
    unknown = {"code": "invalid", "detail": "no", "errors": [{"pointer": "?dry_run", "detail": "not known"}]}
    script.answers = [(422, {}, unknown), (422, {}, {"code": "not_available", "detail": "Not in this release."})]
    with script.client() as client:
        for _ in range(2):
            with pytest.raises(NotAvailable):
                client.estimate("docs", [{"text": "hello"}])


def test_what_a_newer_api_tells_besides_is_kept(script: Script) -> None:
    script.answers = [(200, {}, JOB | {"mood": "good"})]
    with script.client() as client:
        assert client.job("0199").model_dump()["mood"] == "good"


@pytest.mark.parametrize(("status", "created"), [(200, False), (404, True)])
def test_a_collection_is_only_created_where_it_is_missing(script: Script, status: int, created: bool) -> None:
    made = {"name": "docs", "model": "m", "dimensions": 8, "storage": "halfvec", "created_at": "2026-11-28T12:00:00Z"}
    script.answers = [(status, {}, made), (201, {}, made)]
    with script.client() as client:
        assert client.ensure_collection("docs") is created
    assert [seen.method for seen in script.seen] == (["GET", "PUT"] if created else ["GET"])
