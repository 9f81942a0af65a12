"""How fast langchain-postgres, llama-index, pgai's worker and cocoindex ingest what benchmarks/ingest.py ingests.

    python -m benchmarks.alternatives [--corpus A|B|C|all] [--chunks 2600] [--only NAME …] [--with-dbrag] [--json]
                                      [--venvs FOLDER]

Each runs with its HNSW index in place (m=16, ef_construction=64, 1,536 dimensions), as it is used, against a fresh
embedded PostgreSQL with pgvector and the same stand-in for OpenAI (150 ms + 5 ms per 1,000 tokens), with eight requests
in flight: what its documentation offers for speed is used, see each driver. What cannot be installed or does not run
here is skipped, with the reason. Their chunks are cut by their own splitters; rates are of the chunks they stored.
`--with-dbrag` runs dbrag too, so that ratios come from one run. Nothing else should run on the machine.
"""

import argparse
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.alternatives.measure import Result, measure
from benchmarks.alternatives.venvs import REQUIREMENTS
from benchmarks.corpus import Document, corpus
from benchmarks.ending import end_on_sigterm
from benchmarks.ingest import CORPORA, Bench
from benchmarks.processes import OWN
from benchmarks.report import show_json, show_table
from benchmarks.stack import running_stack
from tests.provider import ProviderServer

VENVS = Path.home() / ".cache" / "dbrag-benchmarks"
HEADER = ["", "chunks", "seconds", "chunks/s", "client CPU s/1,000", "PostgreSQL CPU s/1,000", "requests", "in flight"]
DBRAG = ("dbrag until searchable", "dbrag until indexed")


def main() -> None:
    """Run them one after the other and print a table, or JSON."""
    end_on_sigterm()
    arguments = _arguments()
    results = dict[str, list[Result]]()
    with ProviderServer(base_ms=150, ms_per_1000_tokens=5) as provider:
        for name in CORPORA if arguments.corpus == "all" else arguments.corpus:
            documents = corpus(name, arguments.chunks)
            results[name] = []
            for only in arguments.only:
                results[name] += _told(name, [measure(only, documents, arguments.venvs, provider)])
            if arguments.with_dbrag:
                results[name] += _told(name, _dbrag(name, documents, provider))
    if arguments.json:
        runs = {name: [asdict(result) for result in of_corpus] for name, of_corpus in results.items()}
        show_json(runs=runs, times_the_best_alternative={name: _ratios(found) for name, found in results.items()})
        return
    for name, of_corpus in results.items():
        show_table(f"Corpus {name}", HEADER, [_row(result) for result in of_corpus])
        for label, ratio in _ratios(of_corpus).items():
            print(f"{label}: {ratio:.2f} times the best alternative's chunks/s")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", choices=[*CORPORA, "all"], default="A", help="many small, few large, 30 %% copies")
    parser.add_argument("--chunks", type=int, default=2600, help="how many the corpus makes, roughly")
    parser.add_argument("--only", nargs="*", choices=REQUIREMENTS, default=list(REQUIREMENTS), help="these only")
    parser.add_argument("--with-dbrag", action="store_true", help="run dbrag too")
    parser.add_argument("--venvs", type=Path, default=VENVS, help=f"where their environments are kept: {VENVS}")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser.parse_args()


def _told(corpus_name: str, results: list[Result]) -> list[Result]:
    """The same; says them on stderr, since the whole takes some minutes."""
    for result in results:
        print(f"{corpus_name}: {'; '.join(_row(result))}", file=sys.stderr)
    return results


def _dbrag(name: str, documents: list[Document], provider: ProviderServer) -> list[Result]:
    with (
        TemporaryDirectory(prefix="dbrag-benchmark-") as folder,
        running_stack(Path(folder), provider.url) as stack,
        closing(Bench(stack, provider)) as bench,
    ):
        run = bench.run(name, "alternatives", documents)
    moments = [
        (run.searchable_s, run.cpu_s_per_1000_chunks),
        (run.indexed_s, run.cpu_s_per_1000_chunks_indexed),
    ]
    return [
        Result(
            name=label,
            chunks=run.chunks,
            seconds=seconds,
            chunks_per_s=run.chunks / seconds,
            client_cpu_s_per_1000_chunks=cpu_s[OWN],
            postgres_cpu_s_per_1000_chunks=cpu_s["PostgreSQL"],
            requests=run.requests,
            most_requests_in_flight=run.most_requests_in_flight,
        )
        for label, (seconds, cpu_s) in zip(DBRAG, moments, strict=True)
    ]


def _ratios(results: list[Result]) -> dict[str, float]:
    """dbrag's chunks/s by those of the fastest alternative; empty where one of them did not run."""
    best = max((result.chunks_per_s for result in results if result.name not in DBRAG), default=0.0)
    return {result.name: result.chunks_per_s / best for result in results if best and result.name in DBRAG}


def _row(result: Result) -> list[str]:
    if result.skipped:
        return [result.name, "skipped", result.skipped]
    return [
        result.name,
        f"{result.chunks:,}",
        f"{result.seconds:.2f}",
        f"{result.chunks_per_s:,.0f}",
        f"{result.client_cpu_s_per_1000_chunks:.2f}",
        f"{result.postgres_cpu_s_per_1000_chunks:.2f}",
        f"{result.requests}",
        f"{result.most_requests_in_flight}",
    ]


if __name__ == "__main__":
    main()
