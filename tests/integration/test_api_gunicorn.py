"""The API as gunicorn serves it: bodies without a length, counts of several workers, a quiet end."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from dbrag.devstack.apps import Apps
from dbrag.devstack.process import Process
from dbrag.devstack.servers import Servers
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(servers: Servers, api_settings: Settings) -> Iterator[Process]:
    apps = Apps(ROOT, servers.folder, servers.env | {"DBRAG_MAX_BODY_MB": "1"})
    process = servers.launch(apps.api(servers.ports.take()))
    yield process
    process.stop()


@pytest.fixture
def http(server: Process, key: object) -> Iterator[httpx.Client]:
    assert callable(key)
    headers = {"Authorization": f"Bearer {key()}", "Content-Type": "application/json"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client:
        client.put("/v1/collections/served", json={})
        yield client


@pytest.mark.parametrize(("size", "status"), [(1 << 20, 422), ((1 << 20) + 1, 413)])
def test_a_body_without_its_length_is_read_up_to_the_limit_and_never_cut_off(
    http: httpx.Client, size: int, status: int
) -> None:
    text = b'"' + b"a" * (size - 2) + b'"'
    chunks = (text[start : start + 65_536] for start in range(0, size, 65_536))
    assert http.post("/v1/collections/served/documents", content=text).status_code == status
    assert http.post("/v1/collections/served/documents", content=chunks).status_code == status


def test_a_client_that_sends_far_too_much_still_gets_its_answer(http: httpx.Client) -> None:
    answer = http.post("/v1/collections/served/documents", content=b"a" * (20 << 20))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert http.get("/healthz").status_code == 200


@pytest.mark.parametrize("with_length", [True, False])
def test_a_body_of_100_mb_is_refused_and_takes_no_memory(
    server: Process, http: httpx.Client, with_length: bool
) -> None:
    def most_memory() -> int:
        workers = psutil.Process(server.pid).children()
        return sum(int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{w.pid}/status").read_text())[0]) for w in workers)

    for _ in range(20):  # a connection each, so that both workers are warm
        httpx.post(
            f"{server.url}/v1/collections/served/documents", content=b"{}", headers=http.headers, trust_env=False
        )
    before_kib = most_memory()
    chunks = (b"a" * 65_536 for _ in range(1600))
    answer = http.post("/v1/collections/served/documents", content=b"a" * 104_857_600 if with_length else chunks)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert most_memory() - before_kib < 16_384


def test_files_without_their_length_are_never_cut_off(http: httpx.Client) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    form = head + b"a" * (1 << 20) + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    chunks = (form[start : start + 65_536] for start in range(0, len(form), 65_536))
    assert http.post("/v1/collections/served/documents", content=chunks, headers=headers).status_code == 413


def test_the_counts_of_all_workers_are_shown_together(server: Process, http: httpx.Client) -> None:
    def counted() -> float:
        wanted = 'dbrag_http_requests_total{method="POST",route="unknown",status="405"} '
        lines = [line for line in http.get("/metrics").text.splitlines() if line.startswith(wanted)]
        return float(lines[0].removeprefix(wanted)) if lines else 0

    before = counted()
    for _ in range(20):
        # A connection each, so that the workers share them.
        assert httpx.post(f"{server.url}/healthz", trust_env=False).status_code == 405
    assert {counted() for _ in range(5)} == {before + 20}


def test_it_ends_when_it_is_asked_to(server: Process, http: httpx.Client) -> None:
    children = psutil.Process(server.pid).children(recursive=True)
    assert len(children) == 2
    server.stop()
    assert not any(child.is_running() for child in children)
    assert "Traceback" not in server.log.read_text()
    server.restart()
