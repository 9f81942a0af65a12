"""How fast documents become searchable over HTTP, against a provider that answers as OpenAI would.

    python -m benchmarks.ingest [--corpus A|B|C|all] [--chunks 2600] [--repeat] [--json]

It starts the embedded stack (without Flower) with fresh data in a folder of its own, and a stand-in for OpenAI that
answers in 150 ms + 5 ms per 1,000 tokens; sends the corpus in batches, watches the jobs, and has the vector index
built. Each corpus gets a collection of its own. Nothing else should run on the machine.
"""

import argparse
import json
import time
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.client import Client
from benchmarks.corpus import Document, batches, corpus
from benchmarks.ending import end_on_sigterm
from benchmarks.processes import OWN, Meter
from benchmarks.report import show_json, show_runs
from benchmarks.stack import Stack, running_stack
from dbrag.documents.split import split
from tests.provider import ProviderServer

CORPORA = "ABC"
MAX_TOKENS, OVERLAP_TOKENS = 400, 40
"""The platform's own defaults."""


@dataclass
class Result:
    """One run. `searchable_s` ends when all jobs have ended and a search finds the last document.

    `texts_per_request` counts what was asked for: fewer texts than chunks where texts repeat.
    """

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
    cpu_s_per_1000_chunks_indexed: dict[str, float]
    peak_worker_child_mb: float
    peak_mb: float


def main() -> None:
    """Run it and print a table, or JSON."""
    end_on_sigterm()
    arguments = _arguments()
    names = CORPORA if arguments.corpus == "all" else arguments.corpus
    with (
        ProviderServer(base_ms=150, ms_per_1000_tokens=5) as provider,
        TemporaryDirectory(prefix="dbrag-benchmark-") as folder,
        running_stack(Path(folder), provider.url) as stack,
        closing(Bench(stack, provider)) as bench,
    ):
        results = list[Result]()
        for name in names:
            documents = corpus(name, arguments.chunks)
            runs = [name, f"{name} repeated"] if arguments.repeat else [name]
            results += [bench.run(run, f"corpus-{name.lower()}", documents) for run in runs]
    _report(results, arguments.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", choices=[*CORPORA, "all"], default="A", help="many small, few large, 30 %% copies")
    parser.add_argument("--chunks", type=int, default=2600, help="how many the corpus makes, roughly")
    parser.add_argument("--repeat", action="store_true", help="send the same documents a second time")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


class Bench(Client):
    """The client's side of a run, and the meters."""

    def __init__(self, stack: Stack, provider: ProviderServer) -> None:
        self.provider = provider
        self.meter = Meter(stack.pids)
        super().__init__(stack, while_waiting=self.meter.sample_memory)

    def run(self, name: str, collection: str, documents: list[Document]) -> Result:
        """Ingest `documents` once and index them; raises SystemExit if one fails or the last is not found."""
        chunks = sum(len(split(document["text"], MAX_TOKENS, OVERLAP_TOKENS)) for document in documents)
        last = _last_chunk(documents)
        self.put_collection(collection)
        self.provider.forget()
        self.meter.start()
        start = time.perf_counter()
        jobs = [self.post(f"/v1/collections/{collection}/documents:batch", batch) for batch in batches(documents)]
        accepted_s = time.perf_counter() - start
        self.wait(jobs)
        stats = self.provider.stats()  # before the search, which asks for a vector too
        self._find(collection, *last)
        searchable_s = time.perf_counter() - start
        cpu_s = self.meter.cpu_s()
        self.build_index(collection)
        indexed_s = time.perf_counter() - start
        indexed_cpu_s = self.meter.cpu_s()
        self.wait_for_index_jobs()
        return Result(
            run=name,
            documents=len(documents),
            chunks=chunks,
            accepted_s=accepted_s,
            searchable_s=searchable_s,
            indexed_s=indexed_s,
            documents_per_s=len(documents) / searchable_s,
            chunks_per_s=chunks / searchable_s,
            chunks_per_s_indexed=chunks / indexed_s,
            requests=len(stats["inputs"]),
            texts_per_request=sum(stats["inputs"]) / max(1, len(stats["inputs"])),
            most_requests_in_flight=stats["max_in_flight"],
            cpu_s_per_1000_chunks=_per_1000(cpu_s, chunks),
            cpu_s_per_1000_chunks_indexed=_per_1000(indexed_cpu_s, chunks),
            peak_worker_child_mb=self.meter.peak_worker_child_mb,
            peak_mb=self.meter.peak_mb,
        )

    def _find(self, collection: str, external_id: str, text: str) -> None:
        hits = self.search(collection, json.dumps({"query": text, "limit": 1}))
        if not hits or hits[0]["external_id"] != external_id:
            raise SystemExit(f"{external_id} is not found by its own text: {hits}")


def _last_chunk(documents: list[Document]) -> tuple[str, str]:
    """The external_id and the last chunk's text of the last document whose text no other has."""
    copies = Counter(document["text"] for document in documents)
    last = next(document for document in reversed(documents) if copies[document["text"]] == 1)
    span = split(last["text"], MAX_TOKENS, OVERLAP_TOKENS)[-1]
    return last["external_id"], last["text"][span.start : span.end]


def _per_1000(cpu_s: dict[str, float], chunks: int) -> dict[str, float]:
    return {group: seconds * 1000 / chunks for group, seconds in cpu_s.items()}


def _report(results: list[Result], as_json: bool) -> None:
    if as_json:
        show_json(runs=[asdict(result) for result in results])
        return
    show_runs("Ingestion", {result.run: _rows(result) for result in results})


def _rows(result: Result) -> list[tuple[str, str]]:
    cpu, indexed = result.cpu_s_per_1000_chunks, result.cpu_s_per_1000_chunks_indexed
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
        ("CPU s per 1,000 chunks until indexed: PostgreSQL", f"{indexed['PostgreSQL']:.2f}"),
        ("peak memory of a worker's child", f"{result.peak_worker_child_mb:.0f} MiB"),
        ("peak memory of dbrag in all", f"{result.peak_mb:.0f} MiB"),
    ]


if __name__ == "__main__":
    main()
