"""The whole stack of one checkout: servers, embedding provider and the project's processes, and where they are."""

import json
import threading
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import httpx

from dbrag.catalog.secrets import new_key
from dbrag.devstack.apps import Apps
from dbrag.devstack.files import read_secrets, write_private, write_secret
from dbrag.devstack.servers import Servers
from dbrag.devstack.supervise import Supervisor
from dbrag.errors import Permanent

LOOPBACK = '["127.0.0.0/8", "::1/128"]'
OPENAI_URL = "https://api.openai.com/v1"
UPGRADE_TIMEOUT_S = 300.0
TEND_S = 0.2


class Stack:
    """Starts what `environ` does not name as running elsewhere; data in `<root>/.dbrag`, addresses in its stack.json.

    Raises Conflict if one runs there already, and Permanent if `root` is no checkout. Setting `stopping` ends the
    start, with Interrupted, and `supervise`.
    """

    def __init__(self, root: Path, environ: Mapping[str, str], stopping: threading.Event) -> None:
        if not (root / "deploy" / "gunicorn.conf.py").exists():
            raise Permanent(f"{root} is not a checkout of dbrag: change to its top folder first.")
        self._root, self._environ = root.resolve(), environ
        folder = self._root / ".dbrag"
        self._file = folder / "stack.json"
        self._servers = Servers(folder, (self._file,), stopping)
        self._stopping = stopping
        self.addresses: dict[str, Any] = {}

    def start(self) -> dict[str, Any]:
        """Start everything, wait until all is ready and write stack.json; its content."""
        servers = self._servers
        servers.start_missing(self._environ)
        self._start_embeddings()
        self._allow_connections()
        apps = Apps(self._root, servers.folder, servers.env)
        servers.finish(apps.upgrade(), UPGRADE_TIMEOUT_S)
        servers.wait_until_ready()
        servers.spawn(api := apps.api(servers.ports.take()))
        for spec in (apps.worker(), apps.worker_critical(), apps.worker_low(), apps.relay(), apps.beat()):
            servers.spawn(spec)
        servers.spawn(flower := apps.flower(servers.ports.take()))
        servers.wait_until_ready()
        self.addresses = {
            "api": api.url,
            "flower": flower.url,
            "embeddings": servers.env.get("OPENAI_BASE_URL") or self._environ.get("OPENAI_BASE_URL") or OPENAI_URL,
            "api_key": self._key(apps, api.url),
            "database_url": servers.env["DATABASE_URL"],
            "broker_url": servers.env["CELERY_BROKER_URL"],
            "cache_url": servers.env["CACHE_URL"],
        }
        self._write()
        return self.addresses

    def supervise(self) -> None:
        """Start again what ends, until `stopping` is set."""
        supervisor = Supervisor(self._servers.processes.values(), self._write)
        while not self._stopping.wait(TEND_S):
            supervisor.tend()

    def stop(self) -> None:
        """End everything, and take the addresses back first."""
        self._file.unlink(missing_ok=True)
        self._servers.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_embeddings(self) -> None:
        """Start the local provider, unless the environment names another; it loads its model meanwhile."""
        if not (self._environ.get("OPENAI_API_KEY") or self._environ.get("OPENAI_BASE_URL")):
            servers = self._servers
            spec = Apps(self._root, servers.folder, {}).embeddings(servers.ports.take())
            servers.env |= {"OPENAI_BASE_URL": servers.spawn(spec).url, "OPENAI_API_KEY": "local"}

    def _allow_connections(self) -> None:
        """Lets databases of this machine be registered: who starts the stack here may reach them anyway."""
        for name, value in (("DBRAG_ENCRYPTION_KEYS", self._encryption_key()), ("DBRAG_CONNECTIONS_ALLOW", LOOPBACK)):
            self._servers.env[name] = self._environ.get(name) or value

    def _encryption_key(self) -> str:
        """The key of this folder's DSNs, made once."""
        folder = self._servers.folder
        return read_secrets(folder).get("encryption_key") or write_secret(folder, "encryption_key", new_key())

    def _key(self, apps: Apps, api_url: str) -> str:
        """The API key of this folder; a new one if the database does not know it (any more)."""
        folder = self._servers.folder
        known = read_secrets(folder).get("api_key")
        if known and not _is_refused(api_url, known):
            return known
        output = self._servers.finish(apps.create_key(), UPGRADE_TIMEOUT_S)
        return write_secret(folder, "api_key", output.split()[-1])

    def _write(self) -> None:
        running = {name: process.pid for name, process in self._servers.processes.items() if process.running}
        self.addresses["pids"] = running
        write_private(self._file, json.dumps(self.addresses, indent=2) + "\n")


def _is_refused(api_url: str, key: str) -> bool:
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.get(f"{api_url}/v1/collections", headers=headers, timeout=30, trust_env=False)
    return answer.status_code == HTTPStatus.UNAUTHORIZED
