"""`GET /v1/jobs/{id}/events` as gunicorn serves it: readers cost no thread, resume, are dropped, and forgotten."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import httpx
import psutil
import pytest

from dbrag.database.pool import Connection, connect
from dbrag.devstack.apps import Apps
from dbrag.devstack.process import Process
from dbrag.devstack.servers import Servers
from dbrag.documents import endings
from dbrag.errors import Permanent
from dbrag.settings import Settings
from tests.streams import read, until

pytest_plugins = ["api_fixtures"]
ROOT = Path(__file__).parents[2]
# More than both workers have threads.
MANY = 40


@pytest.fixture(scope="module")
def server(servers: Servers, api_settings: Settings) -> Process:
    api = Apps(ROOT, servers.folder, servers.env).api(servers.ports.take())
    return servers.launch(replace(api, name="api-streams"))  # beside other modules' own


@pytest.fixture
def http(server: Process, key: Callable[..., str]) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {key()}"}
    with httpx.Client(base_url=f"{server.url}/v1", headers=headers, timeout=30, trust_env=False) as client:
        client.put("/collections/streamed", json={"dimensions": 4})
        yield client


@pytest.fixture
def conn(api_settings: Settings) -> Iterator[Connection]:
    with connect(api_settings, autocommit=True) as conn:
        yield conn


@pytest.fixture
def job_id(http: httpx.Client) -> str:
    return http.post("/collections/streamed/documents", json={"text": "t"}).raise_for_status().json()["id"]


def fail(conn: Connection, job_id: str) -> None:
    with conn.transaction():
        endings.fail(conn, UUID(job_id), Permanent("no", code="told_to"))


def events_of(conn: Connection, job_id: str) -> list[int]:
    return [row[0] for row in conn.execute("SELECT id FROM job_events WHERE job_id = %s ORDER BY id", [job_id])]


def open_files(server: Process) -> int:
    return sum(child.num_fds() for child in psutil.Process(server.pid).children())


def connected(server: Process, http: httpx.Client, job_id: str, **options: int) -> socket.socket:
    """A connection on which the stream was asked for, and nothing is read."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    raw = socket.socket()
    for name, value in options.items():
        raw.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    raw.settimeout(30)
    raw.connect((host, int(port)))
    head = f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: x\r\nAuthorization: {http.headers['Authorization']}\r\n\r\n"
    raw.sendall(head.encode())
    return raw


def test_a_stream_tells_every_change_of_status_and_ends_with_the_job(
    http: httpx.Client, conn: Connection, job_id: str
) -> None:
    with http.stream("GET", f"/jobs/{job_id}/events") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.headers["x-request-id"]
        events = read(answer)
        first, second = next(events), next(events)
        assert (first.name, first.data["status"], first.data["job_id"]) == ("status", "queued", job_id)
        assert (second.name, second.id, second.data["status"]) == ("progress", None, "queued")
        assert second.data["status_reason"]["code"] == "waiting_for_worker"
        conn.execute(
            "UPDATE jobs SET status = 'held', reason_code = 'no_consumer', reason_detail = 'none', "
            "reason_until = '2030-01-01Z' WHERE id = %s",
            [job_id],
        )
        held = next(events)
        assert held.data["status_reason"] == {"code": "no_consumer", "detail": "none", "until": "2030-01-01T00:00:00Z"}
        fail(conn, job_id)
        rest = list(events)
    assert [event.name for event in rest][-2:] == ["status", "end"]
    assert rest[-1].data == http.get(f"/jobs/{job_id}").json()
    ids = [event.id for event in [first, second, held, *rest] if event.id]
    assert ids == events_of(conn, job_id)


def test_a_stream_of_a_job_that_is_over_ends_at_once(http: httpx.Client, conn: Connection, job_id: str) -> None:
    fail(conn, job_id)
    with http.stream("GET", f"/jobs/{job_id}/events") as answer:
        assert [event.name for event in read(answer)] == ["status", "status", "end"]
    with http.stream("GET", f"/jobs/{job_id}/events", headers={"Last-Event-ID": str(2**62)}) as answer:
        assert [event.name for event in read(answer)] == ["end"]


def test_whoever_resumes_misses_nothing_and_gets_nothing_twice(
    http: httpx.Client, conn: Connection, job_id: str
) -> None:
    """With more behind the last event than one look has."""
    wait = "UPDATE jobs SET status = 'held', reason_code = 'no_consumer' WHERE id = %s"
    go_on = "UPDATE jobs SET status = 'queued', reason_code = NULL WHERE id = %s"
    for _ in range(130):
        conn.execute(wait, [job_id])
        conn.execute(go_on, [job_id])
    fail(conn, job_id)
    expected = events_of(conn, job_id)
    got: list[int] = []
    while len(got) < len(expected):
        headers = {"Last-Event-ID": str(got[-1])} if got else {}
        with http.stream("GET", f"/jobs/{job_id}/events", headers=headers) as answer:
            for number, event in enumerate(read(answer)):
                if event.id:
                    got.append(event.id)
                if number == 120:
                    break
    assert got == expected


@pytest.mark.parametrize("last", ["-1", "x", str(2**63), "1.5"])
def test_an_id_that_no_event_can_have_is_refused(http: httpx.Client, job_id: str, last: str) -> None:
    answer = http.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_others_do_not_see_it(server: Process, http: httpx.Client, job_id: str, key: Callable[..., str]) -> None:
    address = f"{server.url}/v1/jobs/{job_id}/events"
    assert httpx.get(address, trust_env=False).status_code == 401
    other = {"Authorization": f"Bearer {key(tenant='other')}"}
    assert httpx.get(address, headers=other, trust_env=False).status_code == 404
    assert http.get("/jobs/01a1fc29-a62b-7120-8a77-f74981022517/events").status_code == 404


def test_many_more_readers_than_threads_leave_room_for_requests(
    server: Process, http: httpx.Client, conn: Connection, job_id: str
) -> None:
    with ExitStack() as stack:
        readers = [connected(server, http, job_id) for _ in range(MANY)]
        for raw in readers:
            stack.enter_context(raw)
            assert b"event: progress" in until(raw, b"event: progress")
        for _ in range(20):
            assert http.get("/collections").status_code == 200
        fail(conn, job_id)
        for raw in readers:
            assert b"event: end" in until(raw, None)


def test_a_reader_that_vanishes_is_forgotten(server: Process, http: httpx.Client, job_id: str) -> None:
    http.get("/collections")
    before = open_files(server)
    readers = [connected(server, http, job_id) for _ in range(MANY)]
    for raw in readers:
        until(raw, b"event: progress")
    assert open_files(server) >= before + MANY
    for raw in readers[::2]:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # ends with a reset
    for raw in readers:
        raw.close()
    deadline = time.monotonic() + 30
    while open_files(server) > before + MANY // 2:  # the workers' pools may have grown, by less than that
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_open_streams_are_counted(server: Process, http: httpx.Client, job_id: str) -> None:
    def counted() -> float:
        lines = httpx.get(f"{server.url}/metrics", trust_env=False).text.splitlines()
        [line] = [line for line in lines if line.startswith("dbrag_event_streams ")]
        return float(line.split()[1])

    def wait_for(count: int) -> None:
        deadline = time.monotonic() + 30
        while counted() != count:
            assert time.monotonic() < deadline, counted()
            time.sleep(0.1)

    wait_for(0)
    with connected(server, http, job_id) as raw:
        until(raw, b"event: progress")
        wait_for(1)
    wait_for(0)


def test_streams_end_with_their_worker_and_can_be_resumed(
    server: Process, http: httpx.Client, conn: Connection, job_id: str
) -> None:
    with http.stream("GET", f"/jobs/{job_id}/events") as answer:
        events = read(answer)
        first = next(events)
        server.stop()
        assert [event.name for event in events] in ([], ["progress"])
    server.restart()
    server.wait_until_ready()
    fail(conn, job_id)
    with http.stream("GET", f"/jobs/{job_id}/events", headers={"Last-Event-ID": str(first.id)}) as answer:
        assert [event.name for event in read(answer)] == ["status", "end"]
    assert "Traceback" not in server.log.read_text()
