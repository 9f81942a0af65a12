"""How long a search takes over HTTP and how much of the truth it finds: idle, and while rows come in or get indexed.

    python -m benchmarks.search [--corpus clustered|gaussian|both] [--rows 10000 50000] [--extra 20000]
                                [--searches 500] [--json]

It starts the embedded stack with fresh data, and loads seeded vectors of 1,536 dimensions (benchmarks/vectors.py)
through POST …/embeddings, whose texts a stand-in for OpenAI turns into just these vectors. One client searches by
vector, limit 10, at default settings, with vectors that are not stored but come from where the stored ones come.
The truth is computed from the same halves. While rows are added, recall is judged by the rows that were there before.
Nothing else should run on the machine.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.client import Client
from benchmarks.ending import end_on_sigterm
from benchmarks.figures import percentile, recall
from benchmarks.report import show_json, show_table
from benchmarks.stack import Stack, running_stack
from benchmarks.vector_provider import VectorServer, text_of
from benchmarks.vectors import CORPORA, Halves, nearest

COLLECTION = "vectors"
LIMIT = 10
QUERIES = 200
WARM_UP = 50
BATCH = 2000
HEADER = ["corpus, rows, state", "searches", "p50 ms", "p95 ms", "p99 ms", "recall@10", "for s", "rows/s"]


@dataclass
class Result:
    """One state: `rows` are those there at its beginning; `rows_per_s` came in meanwhile."""

    corpus: str
    rows: int
    state: str
    searches: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    recall_at_10: float
    seconds: float
    rows_per_s: float


def main() -> None:
    """Run it and print a table, or JSON."""
    end_on_sigterm()
    arguments = _arguments()
    results = list[Result]()
    for name in CORPORA if arguments.corpus == "both" else [arguments.corpus]:
        vectors = CORPORA[name](max(arguments.rows) + arguments.extra + QUERIES)
        with TemporaryDirectory(prefix="dbrag-search-") as folder:
            file = Path(folder) / "vectors.npy"
            np.save(file, vectors)
            with VectorServer(file) as provider, running_stack(Path(folder) / "stack", provider.url) as stack:
                bench = Bench(stack, name, vectors, arguments.searches)
                results += bench.run(sorted(arguments.rows), arguments.extra)
    if arguments.json:
        show_json(states=[asdict(result) for result in results])
    else:
        show_table("Search", HEADER, [_row(result) for result in results])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", choices=[*CORPORA, "both"], default="both")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 50_000], help="sizes at which it is measured")
    parser.add_argument("--extra", type=int, default=20_000, help="rows that are added to the largest size")
    parser.add_argument("--searches", type=int, default=500, help="when idle; otherwise for as long as it lasts")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


class Bench:
    """One corpus in one collection that grows."""

    def __init__(self, stack: Stack, corpus: str, vectors: Halves, searches: int) -> None:
        self.stack, self.corpus, self.searches = stack, corpus, searches
        self.vectors, self.queries = vectors[:-QUERIES], vectors[-QUERIES:]
        self.wishes = [json.dumps(query.astype(float).tolist()[1:]) for query in self.queries]
        self.asked = 0

    def run(self, sizes: list[int], extra: int) -> list[Result]:
        """Idle at each size, then while it grows to the next one (or by `extra`), then while that is indexed."""
        with closing(Client(self.stack)) as client:
            client.put_collection(COLLECTION)
        self._add(0, sizes[0])
        self._index()
        results = list[Result]()
        for rows, more in zip(sizes, [*sizes[1:], sizes[-1] + extra], strict=True):
            with closing(Client(self.stack)) as client:
                client.wait_for_index_jobs()  # merging goes on after every row is in an index
            results.append(self._measure(rows, "idle"))
            results.append(self._measure(rows, "ingesting", partial(self._add, rows, more)))
            results.append(self._measure(more, "indexing", self._index))
        return results

    def _measure(self, rows: int, state: str, work: Callable[[], int] | None = None) -> Result:
        """Search while `work` goes on in another thread; without any, `self.searches` times."""
        exact = nearest(self.queries, self.vectors[:rows], LIMIT).tolist()
        times_ms, recalls = list[float](), list[float]()
        with closing(Client(self.stack)) as client, ThreadPoolExecutor(1) as pool:
            for i in range(WARM_UP):
                client.search(COLLECTION, self._wish(i))
            start = time.perf_counter()
            future = pool.submit(work) if work else None
            for i in self._turns(future):
                wish = self._wish(i)
                before = time.perf_counter()
                hits = client.search(COLLECTION, wish)
                times_ms.append((time.perf_counter() - before) * 1000)
                share = recall([int(hit["external_id"]) for hit in hits], exact[i], range(rows))
                recalls += [] if share is None else [share]
            seconds = time.perf_counter() - start
            done = future.result() if future else 0
        result = Result(
            corpus=self.corpus,
            rows=rows,
            state=state,
            searches=len(times_ms),
            p50_ms=percentile(times_ms, 50),
            p95_ms=percentile(times_ms, 95),
            p99_ms=percentile(times_ms, 99),
            recall_at_10=fmean(recalls),
            seconds=seconds,
            rows_per_s=done / seconds,
        )
        print("; ".join(_row(result)), file=sys.stderr)  # the whole takes some minutes
        return result

    def _wish(self, query: int) -> str:
        """The same question is never asked twice: its answer would come from the cache."""
        self.asked += 1
        first = float(self.queries[query][0]) + self.asked * 1e-9
        return f'{{"limit": {LIMIT}, "vector": [{first!r}, {self.wishes[query][1:]}}}'

    def _turns(self, future: Future[int] | None) -> Iterator[int]:
        """Which query comes next, for as long as there is something to measure; at least one."""
        turns = cycle(range(QUERIES))
        if future is None:
            yield from islice(turns, self.searches)
            return
        yield next(turns)
        while not future.done():
            yield next(turns)

    def _add(self, start: int, end: int) -> int:
        """Load the vectors from number `start` to before `end`, as fast as it goes; how many they are."""
        with closing(Client(self.stack)) as client:
            batches = [range(i, min(i + BATCH, end)) for i in range(start, end, BATCH)]
            items = ([{"external_id": str(i), "text": text_of(i)} for i in batch] for batch in batches)
            client.wait([client.post(f"/v1/collections/{COLLECTION}/embeddings", batch) for batch in items])
        return end - start

    def _index(self) -> int:
        """Until every row is in an HNSW index."""
        with closing(Client(self.stack)) as client:
            client.build_index(COLLECTION)
        return 0


def _row(result: Result) -> list[str]:
    return [
        f"{result.corpus}, {result.rows:,}, {result.state}",
        f"{result.searches:,}",
        *(f"{ms:.1f}" for ms in (result.p50_ms, result.p95_ms, result.p99_ms)),
        f"{result.recall_at_10:.3f}",
        f"{result.seconds:.1f}",
        f"{result.rows_per_s:,.0f}" if result.rows_per_s else "",
    ]


if __name__ == "__main__":
    main()
