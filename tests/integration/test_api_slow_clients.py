"""Clients that stop in the middle, or take their time, under gunicorn: answered, and no thread is lost to them."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import httpx
import pytest

from api.impatient import BYTES_PER_S, Impatient, Late
from dbrag.devstack.apps import Apps
from dbrag.devstack.process import Process
from dbrag.devstack.servers import Servers
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]
ROOT = Path(__file__).parents[2]
MORE_THAN_ALL_THREADS = 20
PATH = "/v1/collections/slow/documents"
NDJSON = "application/x-ndjson"


@pytest.fixture(scope="module")
def server(servers: Servers, api_settings: Settings) -> Iterator[Process]:
    apps = Apps(ROOT, servers.folder, servers.env | {"DBRAG_RECEIVE_TIMEOUT_S": "1.5"})
    process = servers.launch(apps.api(servers.ports.take()))
    yield process
    process.stop()


@pytest.fixture
def bearer(key: Any) -> str:
    return key()


@pytest.fixture
def http(server: Process, bearer: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {bearer}"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client:
        client.put("/v1/collections/slow", json={"dimensions": 4})
        yield client


@contextmanager
def connected(server: Process) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 80), timeout=30) as client:
        yield client


def head(bearer: str, length: str, path: str = PATH, media_type: str = "application/json") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: here", f"Authorization: Bearer {bearer}", f"Content-Type: {media_type}"]
    return "\r\n".join([*lines, length, "", ""]).encode()


def answer(client: socket.socket) -> tuple[int, str]:
    """The status and the problem's code; (0, "") where the server hung up without an answer."""
    received = b""
    while data := client.recv(65_536):
        received += data
        top, _, problem = received.partition(b"\r\n\r\n")
        if problem.endswith(b"}"):
            return int(top.split()[1]), json.loads(problem)["code"]
    return 0, ""


def jobs(http: httpx.Client) -> list[Any]:
    return http.get("/v1/jobs?collection=slow").json()["data"]


@pytest.mark.parametrize(
    ("length", "sent", "media_type"),
    [
        ("Content-Length: 1000", b'{"text": "t"}', "application/json"),
        ("Content-Length: 1000", b'{"text": "t"}\n', NDJSON),
        ("Transfer-Encoding: chunked", b'd\r\n{"text": "t"}\r\n', NDJSON),
        ("Transfer-Encoding: chunked", b'd\r\n{"text": "t"}\r\nno chunk\r\n', NDJSON),
        ("Transfer-Encoding: chunked", b'd\r\n{"text": "t"}\r\n0\r\n: no trailer\r\n\r\n', NDJSON),
    ],
)
def test_of_a_body_that_ends_early_nothing_is_accepted(
    server: Process, http: httpx.Client, bearer: str, length: str, sent: bytes, media_type: str
) -> None:
    path = f"{PATH}:batch" if media_type == NDJSON else PATH
    with connected(server) as client:
        client.sendall(head(bearer, length, path, media_type) + sent)
        client.shutdown(socket.SHUT_WR)
        assert answer(client) == (400, "malformed")
    assert jobs(http) == []


def test_clients_that_send_a_byte_now_and_then_are_refused_and_others_are_served(
    server: Process, http: httpx.Client, bearer: str
) -> None:
    def trickle(_number: int) -> tuple[int, str]:
        with connected(server) as client:
            client.sendall(head(bearer, "Content-Length: 1000"))
            while not _is_answered(client):
                client.sendall(b" ")
            return answer(client)

    with ThreadPoolExecutor(MORE_THAN_ALL_THREADS) as clients:
        answers = set(clients.map(trickle, range(MORE_THAN_ALL_THREADS)))
    assert answers == {(408, "too_slow")}
    assert http.get("/healthz").status_code == 200
    assert jobs(http) == []


def test_a_slow_form_without_a_key_is_refused_too(server: Process) -> None:
    with connected(server) as client:
        form = "application/x-www-form-urlencoded"
        client.sendall(head("none", "Sec-Fetch-Site: same-origin\r\nContent-Length: 1000", "/console/sign-in", form))
        while not _is_answered(client):
            client.sendall(b"a")
        assert client.recv(12) == b"HTTP/1.1 408"


def test_clients_that_never_end_their_headers_are_hung_up_on_and_others_are_served(
    server: Process, http: httpx.Client
) -> None:
    def trickle(_number: int) -> tuple[int, str]:
        with connected(server) as client:
            client.sendall(b"POST /v1/collections HTTP/1.1\r\nX-Slow: ")
            while not _is_answered(client):
                client.sendall(b"a")
            return answer(client)

    with ThreadPoolExecutor(MORE_THAN_ALL_THREADS) as clients:
        assert set(clients.map(trickle, range(MORE_THAN_ALL_THREADS))) == {(0, "")}
    assert http.get("/healthz").status_code == 200
    assert "Traceback" not in server.log.read_text()


def _is_answered(client: socket.socket) -> bool:
    """Looks for a while, which is the pause between two bytes."""
    time.sleep(0.1)
    client.setblocking(False)
    try:
        client.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    finally:
        client.settimeout(30)
    return True


@pytest.fixture
def pair() -> Iterator[tuple[Impatient, socket.socket]]:
    ours, theirs = socket.socketpair()
    with Impatient(fileno=ours.detach()) as impatient, theirs:
        yield impatient, theirs


def test_a_client_whose_time_is_over_is_late(pair: tuple[Impatient, socket.socket]) -> None:
    impatient, _ = pair
    impatient.begin(0.01)
    with pytest.raises(Late):
        impatient.recv(10)
    assert impatient.gettimeout() is None


def test_what_has_arrived_in_time_is_read_however_late(pair: tuple[Impatient, socket.socket]) -> None:
    impatient, client = pair
    client.sendall(b"here")
    impatient.begin(-100)
    assert impatient.recv(10) == b"here"


def test_a_client_gets_more_time_for_what_it_sends(pair: tuple[Impatient, socket.socket]) -> None:
    impatient, client = pair
    impatient.begin(0.01)
    client.sendall(bytes(BYTES_PER_S))  # a second
    left = BYTES_PER_S
    while left:
        left -= len(impatient.recv(left))
    Timer(0.2, client.sendall, [b"more"]).start()
    assert impatient.recv(10) == b"more"


def test_without_a_beginning_nobody_is_late(pair: tuple[Impatient, socket.socket]) -> None:
    impatient, client = pair
    impatient.begin(0.01)
    impatient.begin(None)
    Timer(0.2, client.sendall, [b"more"]).start()
    assert impatient.recv(10) == b"more"
