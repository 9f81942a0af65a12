"""The embedded stack for a benchmark: fresh data in a folder of its own, and a provider of the benchmark's choice."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dbrag.catalog.secrets import new_key
from dbrag.devstack.apps import Apps
from dbrag.devstack.servers import Servers

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 120.0
NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Stack:
    """Where it is: the API's base URL and a key, the process id of each process by its name, and what all were told."""

    api: str
    api_key: str
    pids: Mapping[str, int]
    env: Mapping[str, str]


@contextmanager
def running_stack(folder: Path, provider_url: str | None = None, env: Mapping[str, str] = NONE) -> Iterator[Stack]:
    """All of `dbrag up` but Flower, which is for people; DBRAG_* of the environment hold here too, and `env`.

    None: the local embedding model.
    """
    with Servers.start(folder) as servers:
        if provider_url is None:
            local = servers.launch(Apps(ROOT, servers.folder, {}).embeddings(servers.ports.take()))
            provider_url = local.url
        provider = {"OPENAI_BASE_URL": provider_url, "OPENAI_API_KEY": "benchmark"}
        connections = {"DBRAG_ENCRYPTION_KEYS": new_key(), "DBRAG_CONNECTIONS_ALLOW": '["127.0.0.0/8"]'}
        told = {**servers.env, **provider, **connections, **env}
        apps = Apps(ROOT, servers.folder, told)
        servers.finish(apps.upgrade(), START_TIMEOUT_S)
        api = servers.spawn(apps.api(servers.ports.take()))
        for spec in (apps.worker(), apps.worker_critical(), apps.worker_low(), apps.relay(), apps.beat()):
            servers.spawn(spec)
        servers.wait_until_ready()
        key = servers.finish(apps.create_key(), START_TIMEOUT_S).split()[-1]
        yield Stack(api.url, key, {name: process.pid for name, process in servers.processes.items()}, told)
