"""A running platform for tests: real servers, API, worker and relay as processes, and a provider that can misbehave."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import psycopg
from cryptography.fernet import Fernet

from dbrag.accounts import keys
from dbrag.database import migrate
from dbrag.database.pool import connect
from dbrag.devstack.apps import Apps
from dbrag.devstack.process import Process
from dbrag.devstack.servers import Servers
from dbrag.settings import Settings
from tests import invariants
from tests.provider.process import ProviderServer
from tests.provider.vectors import vector_of

ROOT = Path(__file__).parents[1]
# Leases of seconds, so that what a killed worker held comes back while a test waits for it.
LEASE_S = 6
PATIENCE_S = 60
# So long nobody may have anything to do before all is called quiet.
CALM_S = 0.3
FINAL = ("succeeded", "completed_with_errors", "failed", "cancelled")
DIMENSIONS = 64


class Platform:
    """What a test may do to it: talk to the API as a tenant, stop and start processes, ask whether all is well."""

    def __init__(
        self, servers: Servers, provider: ProviderServer, env: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.servers, self.provider = servers, provider
        servers.env |= {
            "OPENAI_BASE_URL": provider.url,
            "OPENAI_API_KEY": "test",
            "DBRAG_LEASE_S": str(LEASE_S),
            "DBRAG_PUBLISH_AGAIN_S": "1",
            "DBRAG_RELAY_INTERVAL_S": "0.2",
            "DBRAG_SEGMENT_ROWS": "1000",
            "DBRAG_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "DBRAG_CONNECTIONS_ALLOW": '["127.0.0.0/8"]',
            **env,
        }
        ours = {name.removeprefix("DBRAG_").lower(): value for name, value in servers.env.items()}
        allowed = {"connections_allow": ["127.0.0.0/8"]}  # the environment has it as JSON
        self.settings = Settings.model_validate(ours | servers.env | allowed)
        migrate.upgrade(self.settings)
        self.apps = apps = Apps(ROOT, servers.folder, servers.env)
        self.api = servers.spawn(apps.api(servers.ports.take()))
        self.worker = servers.spawn(apps.worker(concurrency=2))
        self.relay = servers.spawn(apps.relay())
        servers.wait_until_ready()
        self.clients: list[httpx.Client] = []
        self.client = self.client_for("default")

    def client_for(self, tenant: str, *scopes: str) -> httpx.Client:
        """A client with a new key of this tenant."""
        with connect(self.settings) as conn:
            key = keys.create(conn, tenant, "test", scopes)
        headers = {"Authorization": f"Bearer {key}"}
        self.clients.append(httpx.Client(base_url=f"{self.api.url}/v1", headers=headers, timeout=30, trust_env=False))
        return self.clients[-1]

    def close(self) -> None:
        """Closes the clients."""
        for client in self.clients:
            client.close()

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        """A transaction behind the platform's back."""
        with connect(self.settings) as conn:
            yield conn

    @contextmanager
    def down(self, process: Process) -> Iterator[None]:
        """Ends a process for the time of the block, as `kill -9` does."""
        process.kill()
        try:
            yield
        finally:
            process.restart()
            process.wait_until_ready()

    def collection(self, name: str, **wish: Any) -> str:
        """Makes a collection of short chunks and small vectors, and returns its path."""
        path = f"/collections/{name}"
        body = {"dimensions": DIMENSIONS, "chunking": {"max_tokens": 40, "overlap_tokens": 0}} | wish
        self.client.put(path, json=body).raise_for_status()
        return path

    def ingest(self, path: str, documents: Sequence[dict[str, Any]], queue: str = "default") -> str:
        """Submits a batch and returns its job's id."""
        answer = self.client.post(f"{path}/documents:batch", params={"queue": queue}, json=documents)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def wait(self, *job_ids: str, until: Callable[[dict[str, Any]], bool] | None = None) -> list[dict[str, Any]]:
        """The jobs, once they are over (or as `until` wants them)."""
        done = until or (lambda job: job["status"] in FINAL)
        deadline = time.monotonic() + PATIENCE_S
        jobs: dict[str, dict[str, Any]] = {}
        while missing := [job_id for job_id in job_ids if job_id not in jobs]:
            for job_id in missing:
                job = self.client.get(f"/jobs/{job_id}").raise_for_status().json()
                if done(job):
                    jobs[job_id] = job
                assert time.monotonic() < deadline, f"still waiting for {job}"
            time.sleep(0.05)
        return [jobs[job_id] for job_id in job_ids]

    def search(self, path: str, text: str, **request: Any) -> list[dict[str, Any]]:
        """Searches for a text as the provider's stand-in embeds it."""
        vector = vector_of(text, DIMENSIONS).tolist()
        answer = self.client.post(f"{path}/search", json={"vector": vector, **request})
        return answer.raise_for_status().json()["data"]

    def check(self, since: int = 0) -> None:
        """Nothing is lost, stuck or doubled, and every vector is that of its own text.

        Vectors and documents are looked at in generations of a higher id than `since`, all else everywhere.
        """
        with connect(self.settings, autocommit=True) as conn:
            wait_until_quiet(conn)
            invariants.check(conn, since)


def wait_until_quiet(conn: psycopg.Connection[Any], patience_s: float = PATIENCE_S) -> None:
    """Until nobody has anything to do, or patience is over.

    Texts of cancelled and overtaken documents may still be claimed; full segments get their index, for which a job is
    made a moment after the one that filled them has ended.
    """
    began = quiet_since = time.monotonic()
    while (now := time.monotonic()) < quiet_since + CALM_S and now < began + patience_s:
        if conn.execute(invariants.BUSY).fetchone() is not None:  # () is a row without columns
            quiet_since = time.monotonic()
        time.sleep(0.05)
