"""The project's own processes: how each is run, and how it says that it is ready."""

import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
from celery import Celery  # pyright: ignore[reportMissingTypeStubs]
from kombu.exceptions import KombuError, OperationalError
from redis import RedisError

from dbrag.devstack.ports import HOST
from dbrag.devstack.process import Spec

# Requests to the provider are waiting time: four in flight use less than one of two cores.
CONCURRENCY = 4
QUEUES = "critical,default,low"


@dataclass(frozen=True, slots=True)
class Apps:
    """Makes the specs of the processes: run in the checkout `root`, with `env`, and their state in `folder`."""

    root: Path
    folder: Path
    env: Mapping[str, str]

    def embeddings(self, port: int) -> Spec:
        """The local embedding provider."""
        url = f"http://{HOST}:{port}"
        app = "dbrag.devstack.embeddings.server:create_app()"
        argv = _gunicorn(app, port, "--threads=4", "--timeout=120")
        return self._spec("embeddings", argv, partial(_is_ok, f"{url}/healthz"), f"{url}/v1", serves=True)

    def api(self, port: int) -> Spec:
        """The HTTP API."""
        url = f"http://{HOST}:{port}"
        argv = _gunicorn("api.wsgi:app", port, "--config=deploy/gunicorn.conf.py", "--graceful-timeout=8")
        return self._spec("api", argv, partial(_is_ok, f"{url}/readyz"), url)

    def worker(
        self, name: str = "worker", node: str = "general", queues: str = QUEUES, concurrency: int = CONCURRENCY
    ) -> Spec:
        """A worker for `queues`, the most urgent first. `node` must be unique on its broker."""
        host = socket.gethostname()
        options = [f"--hostname={node}@{host}", f"--queues={queues}", f"--concurrency={concurrency}"]
        ready = partial(_pongs, self.env["CELERY_BROKER_URL"], f"{node}@{host}")
        return self._spec(name, _celery("worker", "--loglevel=INFO", *options), ready)

    def worker_critical(self) -> Spec:
        """A worker that urgent work never waits for: it takes nothing else."""
        return self.worker("worker-critical", "critical", "critical", 1)

    def worker_low(self) -> Spec:
        """A worker for what would otherwise starve behind more urgent work."""
        return self.worker("worker-low", "low", "low", 1)

    def relay(self) -> Spec:
        """The relay."""
        return self._logging("relay", _dbrag("relay"))

    def beat(self) -> Spec:
        """Celery's clock."""
        schedule = self.folder / "beat-schedule"
        return self._logging("beat", _celery("beat", "--loglevel=INFO", f"--schedule={schedule}", "--pidfile="))

    def flower(self, port: int) -> Spec:
        """The page that shows workers and tasks."""
        state = ["--persistent=True", f"--db={self.folder / 'flower'}"]
        argv = _celery("flower", f"--address={HOST}", f"--port={port}", *state)
        url = f"http://{HOST}:{port}"
        return self._spec("flower", argv, partial(_is_ok, f"{url}/healthcheck"), url)

    def upgrade(self) -> Spec:
        """The release step: ends by itself when the schema is up to date."""
        return self._spec("upgrade", _dbrag("db", "upgrade"), lambda: True)

    def create_key(self) -> Spec:
        """Ends by itself; the key is the last line of its log."""
        return self._spec("key", _dbrag("keys", "create", "--tenant", "default", "--name", "local"), lambda: True)

    def _logging(self, name: str, argv: list[str]) -> Spec:
        """A process that nobody can ask: it is taken for ready when it begins to log."""
        log = self.folder / "logs" / f"{name}.log"
        return self._spec(name, argv, lambda: log.stat().st_size > 0)

    def _spec(
        self, name: str, argv: list[str], ready: Callable[[], bool], url: str = "", *, serves: bool = False
    ) -> Spec:
        env = {"PYTHONUNBUFFERED": "1", **self.env}
        return Spec(name=name, argv=argv, cwd=self.root, env=env, ready=ready, url=url, serves=serves)


def _gunicorn(app: str, port: int, *options: str) -> list[str]:
    # Its control socket lies in the home directory: one for all checkouts, and left behind.
    return [sys.executable, "-m", "gunicorn", app, f"--bind={HOST}:{port}", "--no-control-socket", *options]


def _celery(command: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--app=tasks", command, *options]


def _dbrag(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from dbrag.cli.main import app; app()", *arguments]


def _is_ok(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == HTTPStatus.OK  # a proxy has no loopback
    except httpx.TransportError:
        return False


def _pongs(broker_url: str, node: str) -> bool:
    """Whether the worker answers; asking needs none of its code."""
    celery: Any = Celery(broker=broker_url, set_as_current=False)
    with celery as app:
        try:
            return bool(app.control.inspect(destination=[node], timeout=0.5).ping())
        except (KombuError, OperationalError, OSError, RedisError):
            return False
