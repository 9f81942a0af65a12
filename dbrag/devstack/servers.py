"""The servers that dbrag stands on, in one folder: PostgreSQL, the broker and the cache.

    with Servers.start(folder) as servers:
        servers.env                       # {"DATABASE_URL": …, "CELERY_BROKER_URL": …, "CACHE_URL": …}
        servers["postgres"].kill()        # also "redis-broker", "redis-cache": kill -9, with all its children
        servers["postgres"].restart()     # same port, same data
        apps = Apps(root, servers.folder, servers.env | {"DBRAG_LEASE_S": "5"})   # dbrag/devstack/apps.py
        worker = servers.launch(apps.worker())      # or any Spec; waits until it is ready
        servers.finish(apps.upgrade(), 60)          # runs to its end
        worker.pid, worker.log, worker.kill(), worker.stop(), worker.restart(DBRAG_LEASE_S="9"), worker.running

Everything launched ends with the block, in reverse order; it dies too if this process is killed. The folder is made if
it is missing, and keeps data and passwords: a second start finds them again. Two starts in one folder at the same time
are refused. First start about 1.5 s, later ones less.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from dbrag.devstack import postgres, redis
from dbrag.devstack.files import password
from dbrag.devstack.lock import Lock
from dbrag.devstack.ports import Ports
from dbrag.devstack.process import Process, Spec
from dbrag.devstack.watchdog import Watchdog
from dbrag.errors import Permanent

MAKERS = (
    ("DATABASE_URL", "postgres-18", postgres.spec),  # another major version does not read its data
    ("CELERY_BROKER_URL", "broker", redis.broker),
    ("CACHE_URL", "cache", redis.cache),
)


class Servers:
    """Running servers, by the names of their processes. Make one with `start`."""

    def __init__(self, folder: Path, files: tuple[Path, ...] = (), stopping: threading.Event | None = None) -> None:
        """Claims the folder; `files` in it are removed if this process is killed. `stopping` ends any waiting."""
        self.folder = folder.absolute()
        self.stopping = stopping or threading.Event()
        self.ports = Ports()
        self.processes: dict[str, Process] = {}
        self.env: dict[str, str] = {}
        self._lock = Lock(self.folder)
        self._watchdog = Watchdog(files, inherited=(self._lock.fd,))

    @classmethod
    def start(cls, folder: Path, given: Mapping[str, str] | None = None) -> Self:
        """Start the servers whose URL is not in `given` (an environment) and wait until they answer."""
        servers = cls(folder)
        try:
            servers.start_missing(given or {})
        except BaseException:
            servers.stop()
            raise
        return servers

    def start_missing(self, given: Mapping[str, str]) -> None:
        """Start the servers whose URL is not in `given`; `env` names all of them afterwards."""
        secret = password(self.folder)
        for variable, place, make in MAKERS:
            if given.get(variable):
                self.env[variable] = given[variable]
            else:
                self.env[variable] = self.launch(make(self.folder / place, secret, self.ports.take())).url

    def spawn(self, spec: Spec) -> Process:
        """Start one more process, without waiting."""
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        process = Process(spec, logs / f"{spec.name}.log", self._watchdog, self.stopping)
        self.processes[spec.name] = process
        process.spawn()
        return process

    def launch(self, spec: Spec) -> Process:
        """Start one more process and wait until it is ready."""
        process = self.spawn(spec)
        process.wait_until_ready()
        return process

    def wait_until_ready(self) -> None:
        """Wait for all that was spawned."""
        for process in self.processes.values():
            process.wait_until_ready()

    def finish(self, spec: Spec, timeout_s: float) -> str:
        """Run a program to its end; its output, which is only kept in a log file if it fails. Raises Permanent then."""
        process = self.spawn(spec)
        code = process.wait(timeout_s)
        del self.processes[spec.name]
        output = process.log.read_text()
        if code:
            raise Permanent(f"{spec.name} failed with exit code {code}. Read {process.log}: {output.strip()[-500:]}")
        process.log.unlink()
        return output

    def stop(self) -> None:
        """End everything, the last started first; those that nobody depends on all at once."""
        leaves = [process for process in self.processes.values() if not process.spec.serves]
        for process in reversed(leaves):
            process.ask_to_stop()
        for process in [*reversed(leaves), *reversed(self.processes.values())]:
            process.stop()
        self.processes.clear()
        self._watchdog.close()
        self._lock.release()
        self.ports.close()

    def __getitem__(self, name: str) -> Process:
        return self.processes[name]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
