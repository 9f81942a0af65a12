"""How fast documents become searchable: 2,000 small ones over HTTP, against a provider that answers as OpenAI would.

    python -m benchmarks.ingest [--documents 2000] [--repeat] [--json]

It starts the embedded stack (without Flower) with fresh data in a folder of its own, and a stand-in for OpenAI that
answers in 150 ms + 5 ms per 1,000 tokens; sends one batch, watches the job, and has the vector index built. Nothing
else should run on the machine.
"""

import argparse
import json
import platform
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.corpus import documents
from benchmarks.processes import OWN, Meter
from benchmarks.stack import Stack, running_stack
from tests.provider import ProviderServer

COLLECTION = "benchmark"
POLL_S = 0.1
FINAL = {"succeeded", "completed_with_errors", "failed", "cancelled"}


@dataclass
class Result:
    """One run. `searchable_s` ends when the job has ended and a search finds its last document."""

    run: str
    documents: int
    chunks: int
    accepted_s: float
    searchable_s: float
    indexed_s: float
    documents_per_s: float
    chunks_per_s: float
    chunks_per_s_indexed: float
    requests: int
    texts_per_request: float
    most_requests_in_flight: int
    cpu_s_per_1000_chunks: dict[str, float]
    peak_worker_child_mb: float
    peak_mb: float


def main() -> None:
    """Run it and print a table, or JSON."""
    arguments = _arguments()
    corpus = list(documents(arguments.documents))
    with (
        ProviderServer(base_ms=150, ms_per_1000_tokens=5) as provider,
        TemporaryDirectory(prefix="dbrag-benchmark-") as folder,
        running_stack(Path(folder), provider.url) as stack,
    ):
        bench = Bench(stack, provider)
        results = [bench.run("first", corpus)]
        if arguments.repeat:
            results.append(bench.run("repeated", corpus))
    _report(results, arguments.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--repeat", action="store_true", help="send the same documents a second time")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


class Bench:
    """The client's side of a run, and the meters."""

    def __init__(self, stack: Stack, provider: ProviderServer) -> None:
        self.provider = provider
        self.meter = Meter(stack.pids)
        headers = {"Authorization": f"Bearer {stack.api_key}"}
        self.http = httpx.Client(base_url=stack.api, headers=headers, timeout=60, trust_env=False)
        self.chunks = 0

    def run(self, name: str, corpus: list[dict[str, str]]) -> Result:
        """Ingest `corpus` once and index it; raises SystemExit if a document fails or is not found."""
        self._put_collection()
        body = json.dumps(corpus)
        self.provider.forget()
        self.meter.start()
        start = time.perf_counter()
        job = self._post(f"/v1/collections/{COLLECTION}/documents:batch", body)
        accepted_s = time.perf_counter() - start
        self._wait(job["id"])
        stats = self.provider.stats()  # before the search, which asks for a vector too
        self._find(corpus[-1])
        searchable_s = time.perf_counter() - start
        cpu_s = self.meter.cpu_s()
        self._wait(self._post(f"/v1/collections/{COLLECTION}/index:rebuild", "{}")["id"])
        indexed_s = time.perf_counter() - start
        self.chunks = self.chunks or sum(stats["inputs"])
        return Result(
            run=name,
            documents=len(corpus),
            chunks=self.chunks,
            accepted_s=accepted_s,
            searchable_s=searchable_s,
            indexed_s=indexed_s,
            documents_per_s=len(corpus) / searchable_s,
            chunks_per_s=self.chunks / searchable_s,
            chunks_per_s_indexed=self.chunks / indexed_s,
            requests=len(stats["inputs"]),
            texts_per_request=sum(stats["inputs"]) / max(1, len(stats["inputs"])),
            most_requests_in_flight=stats["max_in_flight"],
            cpu_s_per_1000_chunks={group: seconds * 1000 / self.chunks for group, seconds in cpu_s.items()},
            peak_worker_child_mb=self.meter.peak_worker_child_mb,
            peak_mb=self.meter.peak_mb,
        )

    def _put_collection(self) -> None:
        wish = {"model": "text-embedding-3-small", "dimensions": 1536}
        self.http.put(f"/v1/collections/{COLLECTION}", json=wish).raise_for_status()

    def _post(self, path: str, body: str) -> dict[str, str]:
        answer = self.http.post(path, content=body, headers={"Content-Type": "application/json"})
        return answer.raise_for_status().json()

    def _wait(self, job_id: str) -> None:
        while (job := self.http.get(f"/v1/jobs/{job_id}").raise_for_status().json())["status"] not in FINAL:
            self.meter.sample_memory()
            time.sleep(POLL_S)
        if job["status"] != "succeeded":
            sys.exit(f"The {job['kind']} job ended as {job['status']}: {job['error']}, {job['counts']}")

    def _find(self, document: dict[str, str]) -> None:
        query = {"query": document["text"], "limit": 1}
        hits = self.http.post(f"/v1/collections/{COLLECTION}/search", json=query).raise_for_status().json()["data"]
        if not hits or hits[0]["external_id"] != document["external_id"]:
            sys.exit(f"{document['external_id']} is not found by its own text: {hits}")


def _report(results: list[Result], as_json: bool) -> None:
    machine = f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.platform()}, "
    machine += f"Python {platform.python_version()}"
    if as_json:
        print(json.dumps({"machine": machine, "runs": [asdict(result) for result in results]}, indent=2))
        return
    table = Table(title="Ingestion", caption=machine)
    table.add_column()
    for result in results:
        table.add_column(result.run, justify="right")
    for row in zip(*(_rows(result) for result in results), strict=True):
        table.add_row(row[0][0], *(value for _, value in row))
    Console().print(table)


def _rows(result: Result) -> list[tuple[str, str]]:
    cpu = result.cpu_s_per_1000_chunks
    return [
        ("documents", f"{result.documents:,}"),
        ("chunks", f"{result.chunks:,}"),
        ("accepted after", f"{result.accepted_s:.2f} s"),
        ("searchable after", f"{result.searchable_s:.2f} s"),
        ("indexed after", f"{result.indexed_s:.2f} s"),
        ("documents/s until searchable", f"{result.documents_per_s:,.0f}"),
        ("chunks/s until searchable", f"{result.chunks_per_s:,.0f}"),
        ("chunks/s until indexed", f"{result.chunks_per_s_indexed:,.0f}"),
        ("requests", f"{result.requests}"),
        ("texts a request", f"{result.texts_per_request:,.0f}"),
        ("most requests in flight", f"{result.most_requests_in_flight}"),
        *((f"CPU s per 1,000 chunks: {group}", f"{cpu[group]:.2f}") for group in (OWN, "PostgreSQL", "Redis")),
        ("peak memory of a worker's child", f"{result.peak_worker_child_mb:.0f} MiB"),
        ("peak memory of dbrag in all", f"{result.peak_mb:.0f} MiB"),
    ]


if __name__ == "__main__":
    main()
