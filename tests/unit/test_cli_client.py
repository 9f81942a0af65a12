"""The HTTP client against a scripted server: patience, errors, pages, batches."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cli_examples import job

from dbrag.cli.address import Address
from dbrag.cli.client import Client, Unreachable
from dbrag.cli.sources import Source
from dbrag.errors import Conflict, DbragError, Invalid, Permanent, Transient, Unauthorized


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Script:
    """Answers (status, headers, body) in order, and what was asked."""

    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=list[tuple[int, dict[str, str], Any]])
    seen: list[Seen] = field(default_factory=list[Seen])
    notices: list[str] = field(default_factory=list[str])
    address: Address = field(default_factory=lambda: Address("", "key"))

    def client(self, patience_s: float = 5.0) -> Client:
        return Client(self.address, notice=self.notices.append, patience_s=patience_s)


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.seen.append(Seen(self.command, self.path, dict(self.headers), body))
            status, headers, content = script.answers.pop(0)
            if status == 0:
                self.close_connection = True  # dies without an answer
                return
            payload = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(payload))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PUT = answer  # noqa: N815 (http.server looks for these names)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        script.address = Address(f"http://127.0.0.1:{server.server_port}", "key")
        yield script
        server.shutdown()


JOB = job().model_dump(mode="json")
LATER = (429, {"Retry-After": "0"}, {"code": "queue_full", "detail": "Too many jobs wait."})


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
        Client(Address("http://127.0.0.1:9", "key"), notice=print, patience_s=3600) as client,
        pytest.raises(Unreachable, match=r"No API answers at http://127\.0\.0\.1:9 .*make up"),
    ):
        client.job("0199")


@pytest.mark.parametrize("api", ["localhost:8000", "ftp://127.0.0.1", "http://", "http://[::1"])
def test_an_address_that_is_no_http_url_is_a_clear_error(api: str) -> None:
    with pytest.raises(Permanent, match=r"is not (a|the) URL"):
        Client(Address(api, "key"), notice=print)


@pytest.mark.parametrize(
    ("status", "body", "kind", "sentence"),
    [
        (409, {"detail": "It is over.", "code": "conflict"}, Conflict, "It is over."),
        (401, {"detail": "The key is unknown."}, Unauthorized, "The key is unknown. Give the key with --key"),
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
        assert len(client.jobs({"status": "failed", "kind": None}, limit=3)) == 3
    assert [seen.path for seen in script.seen] == [
        "/v1/jobs?status=failed&limit=3",
        "/v1/jobs?status=failed&limit=3&cursor=c%2F1",
    ]


def test_reading_a_list_ends_with_its_last_page(script: Script) -> None:
    script.answers = [(200, {}, {"data": [{"index": 0, "status": "failed"}], "has_more": False, "next_cursor": None})]
    with script.client() as client:
        assert [item.index for item in client.failed_items("0199")] == [0]


def test_a_name_is_one_part_of_the_path_whatever_it_holds(script: Script) -> None:
    script.answers = [(200, {}, {"data": []})]
    with script.client() as client:
        client.search("a/b c%", "text", 3)
    assert script.seen[0].path == "/v1/collections/a%2Fb%20c%25/search"


def test_files_travel_as_parts_named_by_their_external_id(script: Script, tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    path.write_text("hello")
    script.answers = [LATER, (202, {}, JOB)]
    with script.client() as client:
        client.send_files("docs", [Source("sub/ä.txt", path, 5)], "low")
    assert script.seen[1].path == "/v1/collections/docs/documents:batch?queue=low"
    for seen in script.seen:  # the second sending must carry the files again
        assert 'name="file"; filename="sub/ä.txt"'.encode() in seen.body
        assert b"hello" in seen.body


@pytest.mark.parametrize(("status", "created"), [(200, False), (404, True)])
def test_a_collection_is_only_created_where_it_is_missing(script: Script, status: int, created: bool) -> None:
    script.answers = [(status, {}, {}), (201, {}, {})]
    with script.client() as client:
        assert client.ensure_collection("docs") is created
    assert [seen.method for seen in script.seen] == (["GET", "PUT"] if created else ["GET"])
