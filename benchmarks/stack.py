"""The embedded stack for a benchmark: fresh data in a folder of its own, and a provider of the benchmark's choice."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dbrag.devstack.apps import Apps
from dbrag.devstack.servers import Servers

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Stack:
    """Where it is: the API's base URL and a key, the process id of each process by its name, and its environment."""

    api: str
    api_key: str
    pids: Mapping[str, int]
    env: Mapping[str, str]


@contextmanager
def running_stack(folder: Path, provider_url: str | None, **settings: str) -> Iterator[Stack]:
    """All of `dbrag up` but Flower, which is for people; DBRAG_* of the environment hold here too, and `settings`.

    `provider_url` None: the local embedding model.
    """
    with Servers.start(folder) as servers:
        if provider_url is None:
            provider_url = servers.launch(Apps(ROOT, servers.folder, {}).embeddings(servers.ports.take())).url
        provider = {"OPENAI_BASE_URL": provider_url, "OPENAI_API_KEY": "benchmark"}
        apps = Apps(ROOT, servers.folder, servers.env | provider | settings)
        servers.finish(apps.upgrade(), START_TIMEOUT_S)
        api = servers.spawn(apps.api(servers.ports.take()))
        for spec in (apps.worker(), apps.worker_critical(), apps.worker_low(), apps.relay(), apps.beat()):
            servers.spawn(spec)
        servers.wait_until_ready()
        key = servers.finish(apps.create_key(), START_TIMEOUT_S).split()[-1]
        yield Stack(api.url, key, _pids(servers), apps.env)


@contextmanager
def running_door(folder: Path, **settings: str) -> Iterator[Stack]:
    """Servers, API and relay alone: what is accepted waits."""
    with Servers.start(folder) as servers:
        provider = {"OPENAI_BASE_URL": "http://127.0.0.1:9", "OPENAI_API_KEY": "benchmark"}  # nobody asks it
        apps = Apps(ROOT, servers.folder, servers.env | provider | settings)
        servers.finish(apps.upgrade(), START_TIMEOUT_S)
        api = servers.spawn(apps.api(servers.ports.take()))
        servers.spawn(apps.relay())
        servers.wait_until_ready()
        key = servers.finish(apps.create_key(), START_TIMEOUT_S).split()[-1]
        yield Stack(api.url, key, _pids(servers), apps.env)


def _pids(servers: Servers) -> dict[str, int]:
    return {name: process.pid for name, process in servers.processes.items()}
