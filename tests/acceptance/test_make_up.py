"""`make up`, seen from outside: all is ready, all is watched, nothing is left behind."""

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

CHECKOUT = Path(__file__).parents[2]
PATIENCE_S = 180
SERVERS = {"postgres", "redis-broker", "redis-cache", "embeddings"}
APPS = {"api", "worker", "worker-critical", "worker-low", "relay", "beat", "flower"}
GIVEN = {"DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "MAKELEVEL"}


class Up:
    """A running `make up` in `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.output = (root / "output").open("w+")
        # As it is started, so it is stopped: Ctrl-C reaches all of the terminal's foreground group.
        self.make = subprocess.Popen(
            ["make", "--assume-old=.venv/.installed", "up"],
            cwd=root,
            env={name: value for name, value in os.environ.items() if name not in GIVEN},
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def stack(self) -> dict[str, Any]:
        return json.loads((self.root / ".dbrag" / "stack.json").read_text())

    def wait_until_ready(self) -> None:
        wait_until(lambda: (self.root / ".dbrag" / "stack.json").exists() or self.make.poll() is not None)
        assert self.make.poll() is None, self.read()

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.make.pid).children(recursive=True)

    def read(self) -> str:
        return (self.root / "output").read_text()

    def interrupt(self) -> int:
        os.killpg(self.make.pid, signal.SIGINT)
        return self.make.wait(PATIENCE_S)

    def kill_make(self) -> None:
        self.make.kill()
        self.make.wait(PATIENCE_S)

    def close(self) -> None:
        for process in self.family() if self.make.poll() is None else ():
            process.terminate()
        self.make.wait(PATIENCE_S)
        self.output.close()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of its own, so that a stack running in this one is left alone."""
    root = tmp_path_factory.mktemp("a check out")
    for part in CHECKOUT.iterdir():
        if part.name != ".dbrag":
            (root / part.name).symlink_to(part)
    return root


@pytest.fixture(scope="module")
def up(checkout: Path) -> Iterator[Up]:
    up = Up(checkout)
    try:
        up.wait_until_ready()
        yield up
    finally:
        up.close()


def test_all_of_it_runs_and_its_addresses_answer(up: Up) -> None:
    stack = up.stack
    assert set(stack["pids"]) == SERVERS | APPS
    assert all(map(psutil.pid_exists, stack["pids"].values()))
    key = {"Authorization": f"Bearer {stack['api_key']}"}
    for url in (f"{stack['api']}/readyz", f"{stack['api']}/v1/collections", f"{stack['flower']}/healthcheck"):
        assert httpx.get(url, headers=key, trust_env=False).status_code == 200, url
    question = {"model": "text-embedding-3-small", "input": "hello"}
    answer = httpx.post(f"{stack['embeddings']}/embeddings", json=question, headers=key, trust_env=False)
    assert len(answer.json()["data"][0]["embedding"]) == 1536
    assert stack["broker_url"] != stack["cache_url"]
    assert stack["api"] in up.read()


def test_the_addresses_are_for_their_owner_only(up: Up) -> None:
    assert stat.S_IMODE((up.root / ".dbrag" / "stack.json").stat().st_mode) == 0o600


def test_a_second_one_in_the_same_checkout_says_that_one_runs(up: Up) -> None:
    before = up.stack
    command = ["make", "--assume-old=.venv/.installed", "up"]
    second = subprocess.run(command, check=False, cwd=up.root, capture_output=True, text=True)
    assert second.returncode != 0
    assert "already running" in second.stderr
    assert str(up.root) in second.stderr
    assert up.stack == before


@pytest.mark.parametrize("name", ["worker", "api", "redis-broker", "postgres"])
def test_what_is_killed_is_back_soon_under_a_new_number(up: Up, name: str) -> None:
    first = up.stack["pids"][name]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: up.stack["pids"].get(name, first) != first)
    wait_until(lambda: is_ready(up.stack))
    assert f"{name} was killed by SIGKILL. Starting it again" in up.read()


def test_when_it_is_killed_everything_dies_with_it(up: Up) -> None:
    family = up.family()
    assert len(family) > len(SERVERS | APPS) + 10  # PostgreSQL's, gunicorn's and Celery's children
    (supervisor,) = psutil.Process(up.make.pid).children()
    supervisor.kill()
    wait_until(lambda: not any(map(is_alive, family)))
    assert not (up.root / ".dbrag" / "stack.json").exists()


def test_ctrl_c_stops_everything_and_the_key_outlives_it(up: Up, checkout: Path) -> None:
    key = json.loads((checkout / ".dbrag" / "secrets.json").read_text())["api_key"]
    again = Up(checkout)
    try:
        again.wait_until_ready()
        assert again.stack["api_key"] == key
        family = again.family()
        again.interrupt()
        assert not any(map(is_alive, family))
        assert not (checkout / ".dbrag" / "stack.json").exists()
        assert "Stopped." in again.read()
    finally:
        again.close()


@pytest.mark.parametrize("end", [Up.interrupt, Up.kill_make], ids=["ctrl-c", "make-killed"])
def test_what_ends_it_while_it_starts_ends_everything_too(up: Up, checkout: Path, end: Callable[[Up], object]) -> None:
    early = Up(checkout)
    try:
        wait_until(lambda: any(process.name() == "postgres" for process in early.family()))
        family = early.family()
        end(early)
        wait_until(lambda: not any(map(is_alive, family)))
        assert not (checkout / ".dbrag" / "stack.json").exists()
    finally:
        early.close()


def is_ready(stack: dict[str, Any]) -> bool:
    """Whether the API answers, from its database, and knows the key."""
    try:
        with psycopg.connect(stack["database_url"], connect_timeout=2):
            key = {"Authorization": f"Bearer {stack['api_key']}"}
            return httpx.get(f"{stack['api']}/v1/collections", headers=key, trust_env=False).status_code == 200
    except (psycopg.OperationalError, httpx.TransportError):
        return False


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(0.1)
