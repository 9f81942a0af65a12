"""How well the catalog finds tables and routes questions, how fast it does, and how fast it is brought up to date.

    python -m benchmarks.catalog [--fit] [--tables 500] [--json]

It starts the embedded stack with the local embedding model; describes two shops (benchmarks/catalog_questions.py)
without a chat model, and ingests samples/ and docs/ beside them; asks the questions over HTTP; then updates a generated
database twice, without a chat model, and with a stand-in for one that answers in 800 ms. `--fit` also prints the
coefficients for dbrag/catalog/calibrate.py, fitted to the questions of both shops, and how well those of one do on the
other. Nothing else should run on the machine.
"""

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import catalog_load, catalog_quality
from benchmarks.catalog_load import Update
from benchmarks.catalog_quality import ANSWERS_KEPT_S, MODES, PLACES, Hits, Routing
from benchmarks.catalog_questions import SHOPS, load
from benchmarks.client import Client
from benchmarks.ending import end_on_sigterm
from benchmarks.report import show_json, show_table
from benchmarks.stack import Stack, running_stack
from dbrag.catalog.calibrate import Curve
from dbrag.catalog.secrets import new_key
from dbrag.devstack.stack import LOOPBACK
from dbrag.runtime import open_runtime
from dbrag.settings import Settings
from tests.provider import ProviderServer

CHAT_MS = 800


@dataclass
class Results:
    """All that was measured; `fit` holds lines of Python."""

    hits: list[Hits] = field(default_factory=list[Hits])
    routing: list[Routing] = field(default_factory=list[Routing])
    updates: list[Update] = field(default_factory=list[Update])
    fit: list[str] = field(default_factory=list[str])


def main() -> None:
    """Run it and print tables, or JSON."""
    end_on_sigterm()
    arguments = _arguments()
    results = Results()
    with _stack(None) as stack, closing(Client(stack)) as client:
        load(client, stack.env["DATABASE_URL"])
        results.hits = [catalog_quality.hits(client, shop, mode) for shop in SHOPS for mode in MODES]
        results.routing = [catalog_quality.routing(client, shop) for shop in SHOPS]
        if arguments.fit:
            _fit(stack, results)
        if arguments.tables:
            results.updates += _updates(stack, client, arguments.tables)
    if arguments.tables:
        results.updates += _updates_with_chat(arguments.tables)
    if arguments.json:
        show_json(**asdict(results))
    else:
        _show(results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help="fit the coefficients of the route anew, and print them")
    parser.add_argument("--tables", type=int, default=500, help="size of the generated database; 0 for none")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser.parse_args()


@contextmanager
def _stack(provider_url: str | None, **settings: str) -> Iterator[Stack]:
    own = {
        "DBRAG_ENCRYPTION_KEYS": new_key(),
        "DBRAG_CONNECTIONS_ALLOW": LOOPBACK,
        "DBRAG_ANSWER_CACHE_TTL_S": str(ANSWERS_KEPT_S),
    }
    with (
        TemporaryDirectory(prefix="dbrag-catalog-") as folder,
        running_stack(Path(folder), provider_url, **own, **settings) as stack,
    ):
        yield stack


def _fit(stack: Stack, results: Results) -> None:
    urls = {name: stack.env[name] for name in ("DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL", "OPENAI_BASE_URL")}
    runtime = open_runtime(Settings.model_validate({**urls, "OPENAI_API_KEY": "benchmark"}))
    try:
        judged = [list(catalog_quality.evidence(runtime, stack.api_key, shop)) for shop in SHOPS]
    finally:
        runtime.close()
    of_both = [*judged[0], *judged[1]]
    curves = catalog_quality.fitted(of_both)
    results.routing += catalog_quality.crosswise(judged)
    results.fit = [f"{name.upper()} = Curve({', '.join(_rounded(curve))})" for name, curve in curves._asdict().items()]
    for side, similarity in zip(("DOCUMENTS", "TABLES"), catalog_quality.absent(of_both), strict=True):
        results.fit.append(f"NO_{side} = Evidence({similarity:.2f}, 0.0)")


def _rounded(curve: Curve) -> list[str]:
    return [f"{name}={value:.2f}" for name, value in curve._asdict().items()]


def _updates(stack: Stack, client: Client, tables: int) -> list[Update]:
    catalog_load.prepare(client, stack.env["DATABASE_URL"], tables)
    return [catalog_load.update(client, f"without a chat model, {time}") for time in ("first", "again")]


def _updates_with_chat(tables: int) -> list[Update]:
    with (
        ProviderServer(chat_ms=CHAT_MS) as provider,
        _stack(provider.url, DBRAG_CHAT_MODEL="stand-in") as stack,
        closing(Client(stack)) as client,
    ):
        catalog_load.prepare(client, stack.env["DATABASE_URL"], tables)
        return [
            catalog_load.update(
                client, f"chat model of {CHAT_MS} ms, {time}", lambda: provider.stats()["chat_requests"]
            )
            for time in ("first", "again")
        ]


def _show(results: Results) -> None:
    header = ["found", *(f"hit@{place}" for place in PLACES), "p50 ms", "p95 ms"]
    rows = [
        [
            f"{one.shop}, {one.mode}",
            *(f"{one.at[place]:.3f}" for place in PLACES),
            f"{one.p50_ms:.1f}",
            f"{one.p95_ms:.1f}",
        ]
        for one in results.hits
    ]
    show_table("Tables", header, rows)
    header = ["routed", "right", "right where there is an answer", "Brier", "ECE", "p50 ms", "p95 ms"]
    show_table("Routes", header, [_routing(one) for one in results.routing])
    for line in results.fit:
        print(line)
    if results.updates:
        header = ["updated", "tables", "unchanged", "s", "chat requests", "tokens embedded"]
        show_table("Updates", header, [_update(one) for one in results.updates])


def _routing(one: Routing) -> list[str]:
    figures = (one.right, one.right_answered, one.brier, one.calibration_error)
    times = [f"{ms:.1f}" for ms in (one.p50_ms, one.p95_ms)] if one.p95_ms else ["", ""]
    return [one.run, *(f"{figure:.3f}" for figure in figures), *times]


def _update(one: Update) -> list[str]:
    counts = (one.tables, one.unchanged)
    return [one.run, *map(str, counts), f"{one.seconds:.1f}", str(one.chat_requests), f"{one.embedded_tokens:,}"]


if __name__ == "__main__":
    main()
