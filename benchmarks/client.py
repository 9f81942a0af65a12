"""The benchmarks' HTTP client: what a user's program would do."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from benchmarks.stack import Stack

POLL_S = 0.1
BUILD_TIMEOUT_S = 900.0
FINAL = {"succeeded", "completed_with_errors", "failed", "cancelled"}


class Client:
    """Talks to the API of `stack`; a job that does not succeed ends the program with its reason."""

    def __init__(self, stack: Stack, while_waiting: Callable[[], None] = lambda: None) -> None:
        """`while_waiting` is called every 0.1 s that it waits for something."""
        headers = {"Authorization": f"Bearer {stack.api_key}"}
        self.http = httpx.Client(base_url=stack.api, headers=headers, timeout=120, trust_env=False)
        self._while_waiting = while_waiting

    def close(self) -> None:
        """Close its connections."""
        self.http.close()

    def put_collection(self, name: str) -> None:
        """A collection with the default settings at 1,536 dimensions."""
        wish = {"model": "text-embedding-3-small", "dimensions": 1536}
        self.http.put(f"/v1/collections/{name}", json=wish).raise_for_status()

    def put_connection(self, name: str, dsn: str) -> None:
        """A registered database."""
        self.http.put(f"/v1/connections/{name}", json={"dsn": dsn}).raise_for_status()

    def send_files(self, name: str, files: Sequence[Path]) -> str:
        """The id of the job that takes these files as documents of a collection."""
        parts = [("file", (file.name, file.read_bytes())) for file in files]
        return self.http.post(f"/v1/collections/{name}/documents:batch", files=parts).raise_for_status().json()["id"]

    def ask(self, path: str, **body: Any) -> dict[str, Any]:
        """The answer to a POST."""
        return self._post(path, json.dumps(body)).raise_for_status().json()

    def post(self, path: str, items: Sequence[Any]) -> str:
        """The id of the job that this batch becomes."""
        return self._post(path, json.dumps(items)).raise_for_status().json()["id"]

    def search(self, name: str, wish: str) -> list[dict[str, Any]]:
        """The hits, best first; `wish` is JSON, so that a benchmark need not time how it is made."""
        return self._post(f"/v1/collections/{name}/search", wish).raise_for_status().json()["data"]

    def wait(self, job_ids: Iterable[str]) -> list[dict[str, Any]]:
        """These jobs, once all have succeeded."""
        return [self._wait(job_id) for job_id in job_ids]

    def build_index(self, name: str) -> None:
        """Until every row of the collection is in an HNSW index, which is asked for if it does not happen by itself."""
        over = time.monotonic() + BUILD_TIMEOUT_S
        job_id = None
        while self.has_unindexed(name):
            if time.monotonic() > over:
                sys.exit(f"not all of {name} has an index after {BUILD_TIMEOUT_S:.0f} s")
            if job_id is None or self._get(f"/v1/jobs/{job_id}")["status"] in FINAL:
                answer = self._post(f"/v1/collections/{name}/index:rebuild", "{}")
                if answer.status_code != HTTPStatus.CONFLICT:  # a build has just ended
                    job_id = answer.raise_for_status().json()["id"]
            self._pause()

    def wait_for_index_jobs(self) -> None:
        """Until no index is built or merged any more, so that the next measurement has the machine for itself."""
        while any(job["status"] not in FINAL for job in self._get("/v1/jobs?kind=rebuild_index&limit=20")["data"]):
            self._pause()

    def has_unindexed(self, name: str) -> bool:
        """Whether a segment is searched exactly. A fresh one without rows is not counted; one is always open."""
        segments = self._get(f"/v1/collections/{name}/index")["segments"]
        return any(s["status"] == "sealed" or (s["status"] == "fresh" and s["rows"]) for s in segments)

    def _wait(self, job_id: str) -> dict[str, Any]:
        while (job := self._get(f"/v1/jobs/{job_id}"))["status"] not in FINAL:
            self._pause()
        if job["status"] != "succeeded":
            sys.exit(f"The {job['kind']} job ended as {job['status']}: {job['error']}, {job['counts']}")
        return job

    def _get(self, path: str) -> dict[str, Any]:
        return self.http.get(path).raise_for_status().json()

    def _post(self, path: str, body: str) -> httpx.Response:
        return self.http.post(path, content=body, headers={"Content-Type": "application/json"})

    def _pause(self) -> None:
        self._while_waiting()
        time.sleep(POLL_S)
