"""A running platform for tests: real servers, API, worker and relay as processes, and a provider that can misbehave."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
from psycopg import sql

from dbrag.accounts import keys
from dbrag.database import migrate
from dbrag.database.pool import connect
from dbrag.devstack.apps import Apps
from dbrag.devstack.process import Process
from dbrag.devstack.servers import Servers
from dbrag.settings import Settings
from tests.provider.process import ProviderServer
from tests.provider.vectors import vector_of

ROOT = Path(__file__).parents[1]
# Leases of seconds, so that what a killed worker held comes back while a test waits for it.
LEASE_S = 6
PATIENCE_S = 60
FINAL = ("succeeded", "completed_with_errors", "failed", "cancelled")
DIMENSIONS = 64


class Platform:
    """What a test may do to it: talk to the API as a tenant, stop and start processes, ask whether all is well."""

    def __init__(self, servers: Servers, provider: ProviderServer) -> None:
        self.servers, self.provider = servers, provider
        servers.env |= {
            "OPENAI_BASE_URL": provider.url,
            "OPENAI_API_KEY": "test",
            "DBRAG_LEASE_S": str(LEASE_S),
            "DBRAG_PUBLISH_AGAIN_S": "1",
            "DBRAG_RELAY_INTERVAL_S": "0.2",
            "DBRAG_SEGMENT_ROWS": "1000",
        }
        ours = {name.removeprefix("DBRAG_").lower(): value for name, value in servers.env.items()}
        self.settings = Settings.model_validate(ours | servers.env)
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

    def check(self) -> None:
        """Nothing is lost, stuck or doubled, and every vector is that of its own text."""
        with connect(self.settings, autocommit=True) as conn:
            self._wait_until_quiet(conn)
            for question in NOTHING:
                assert conn.execute(question).fetchall() == [], question
            for generation_id, dimensions in conn.execute(
                "SELECT id, dimensions FROM generations WHERE status = 'serving'"
            ).fetchall():
                if conn.execute("SELECT to_regclass(%s)", [f"generation_{generation_id}"]).fetchone() != (None,):
                    _check_vectors(conn, generation_id, dimensions)

    def _wait_until_quiet(self, conn: psycopg.Connection[Any]) -> None:
        """Texts of cancelled and overtaken documents may still be claimed; full segments get their index."""
        deadline = time.monotonic() + PATIENCE_S
        while conn.execute(BUSY).fetchone() and time.monotonic() < deadline:
            time.sleep(0.05)


BUSY = "SELECT FROM pending UNION ALL SELECT FROM jobs WHERE kind = 'rebuild_index' AND finished_at IS NULL LIMIT 1"
# Each of these must find nothing.
NOTHING = (
    "SELECT id, status FROM jobs WHERE finished_at IS NULL",
    "SELECT id FROM jobs WHERE completed + failed + skipped + cancelled <> total",
    """SELECT j.id FROM jobs j WHERE j.kind <> 'rebuild_index' AND (completed, failed, skipped, cancelled) <> (
           SELECT count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed'),
                  count(*) FILTER (WHERE status = 'skipped'), count(*) FILTER (WHERE status = 'cancelled')
           FROM job_items WHERE job_id = j.id)""",
    """SELECT e.job_id FROM job_events e WHERE e.status IN ('succeeded', 'completed_with_errors', 'failed', 'cancelled')
       GROUP BY e.job_id HAVING count(*) <> 1 + (
           SELECT count(*) FROM job_events q WHERE q.job_id = e.job_id AND q.status = 'queued'
           AND (SELECT f.status FROM job_events f WHERE f.job_id = q.job_id AND f.id < q.id ORDER BY f.id DESC LIMIT 1)
               IN ('succeeded', 'completed_with_errors', 'failed', 'cancelled'))""",
    "SELECT chunk_id FROM pending",
    "SELECT id FROM document_versions WHERE status = 'waiting'",
    "SELECT id FROM chunks WHERE kept_chunk_id IS NOT NULL AND version_id IN "
    "(SELECT id FROM document_versions WHERE status = 'live')",
    "SELECT version_id, position FROM chunks GROUP BY 1, 2 HAVING count(*) > 1",
    "SELECT v.id FROM document_versions v WHERE status = 'live' "
    "AND NOT EXISTS (SELECT FROM chunks WHERE version_id = v.id)",
    "SELECT d.id FROM documents d WHERE NOT EXISTS (SELECT FROM document_versions WHERE document_id = d.id)",
    "SELECT id FROM segments WHERE to_regclass(format('generation_%s_segment_%s', generation_id, id)) IS NULL",
)


def _check_vectors(conn: psycopg.Connection[Any], generation_id: int, dimensions: int) -> None:
    # What merges replaced may still be there.
    searched = "SELECT id FROM segments WHERE status IN ('fresh', 'sealed', 'indexed')"
    table = sql.SQL(f"(SELECT * FROM {{}} WHERE segment_id IN ({searched}))").format(
        sql.Identifier(f"generation_{generation_id}")
    )
    missing = sql.SQL(
        "SELECT c.id FROM chunks c JOIN document_versions v ON v.id = c.version_id AND v.status = 'live' "
        "JOIN generations g ON g.collection_id = c.collection_id "
        "WHERE g.id = {} AND (SELECT count(*) FROM {} e WHERE e.chunk_id = c.id) <> 1"
    ).format(generation_id, table)
    assert conn.execute(missing).fetchall() == [], "a live chunk has no vector, or two"
    orphans = sql.SQL("SELECT chunk_id FROM {} e WHERE NOT EXISTS (SELECT FROM chunks WHERE id = e.chunk_id)")
    assert conn.execute(orphans.format(table)).fetchall() == [], "a vector belongs to no chunk"
    rows = sql.SQL("SELECT c.text, e.embedding::text FROM {} e JOIN chunks c ON c.id = e.chunk_id").format(table)
    for text, embedding in conn.execute(rows):
        stored = np.fromstring(embedding[1:-1], sep=",")
        assert np.allclose(stored, vector_of(text, dimensions), atol=1e-3), f"not the vector of {text!r}"
