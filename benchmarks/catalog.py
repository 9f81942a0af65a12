"""Which table answers? How often the catalog knows, how well it routes, how long both take, and how fast it is made.

    python -m benchmarks.catalog [--only retrieval|speed] [--tables 500] [--fit] [--json]

Retrieval: the embedded stack with its local model, samples/databases/shop.sql with composed descriptions, samples/ and
docs/ as documents, and the questions of benchmarks/catalog_gold.py. `--fit` fits the curves of catalog/calibrate.py
to them, each question judged by curves that were fitted to the others.
Speed: so many generated tables without a chat model, again as they are, and with the stand-in's chat model, which takes
800 ms an answer. Nothing else should run on the machine.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import psycopg
from numpy.typing import NDArray

from benchmarks.catalog_gold import BOTH, DOCUMENTS, NEITHER, NOTES, TABLES
from benchmarks.client import Client
from benchmarks.ending import end_on_sigterm
from benchmarks.figures import percentile
from benchmarks.report import show_json, show_table
from benchmarks.stack import ROOT, Stack, running_stack
from dbrag.catalog import home
from dbrag.catalog.calibrate import Features
from dbrag.catalog.route import Scores, look, verdict
from dbrag.cli.sources import find
from dbrag.documents import collections
from dbrag.runtime import Runtime, open_runtime
from dbrag.settings import Settings
from tests.catalog_schemas import make_many
from tests.provider.process import ProviderServer

CHAT_MS = 800
MODES = ("vector", "text", "hybrid")
PLACES = (1, 3, 5)
REPEATS = 3
# A little of it, so that a question more or less does not turn the curve.
RIDGE = 0.05
QUESTIONS = (
    [(question, "tables") for question in TABLES]
    + [(question, "documents") for question in DOCUMENTS]
    + [(question, "both") for question in BOTH]
    + [(question, "none") for question in NEITHER]
)


def main() -> None:
    """Run it and print tables, or JSON."""
    end_on_sigterm()
    arguments = _arguments()
    results: dict[str, Any] = {}
    with TemporaryDirectory(prefix="dbrag-catalog-") as folder:
        if arguments.only != "speed":
            results |= retrieval(Path(folder) / "retrieval", fit=arguments.fit)
        if arguments.only != "retrieval":
            results |= speed(Path(folder), arguments.tables)
    if arguments.json:
        show_json(**results)
        return
    for title, rows in results.items():
        show_table(title, list(rows[0]), [[str(value) for value in row.values()] for row in rows])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["retrieval", "speed"])
    parser.add_argument("--tables", type=int, default=500, help="generated tables for the speed")
    parser.add_argument("--fit", action="store_true", help="fit the curves of the router, too")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser.parse_args()


def retrieval(folder: Path, *, fit: bool) -> dict[str, Any]:
    """Hits by mode, routing, latencies."""
    with (
        running_stack(folder) as stack,
        closing(Client(stack)) as client,
        _database(stack, "shop", lambda conn: conn.execute(_shop())) as dsn,
    ):
        _describe(client, "shop", dsn)
        _ingest(client)
        results: dict[str, Any] = {
            "Tables found": [_hits(client, mode) for mode in MODES],
            "Routed": _routed(client),
            "Latency, embedding cached": [
                _latency(client, "/v1/route", {"limit": 3}),
                _latency(client, "/v1/catalog/search", {"limit": 10}),
            ],
        }
        return results | ({"Fitted": _fitted(stack)} if fit else {})


def speed(folder: Path, tables: int) -> dict[str, Any]:
    """Seconds until so many generated tables are described and searchable."""
    rows: list[dict[str, Any]] = []
    for name, env in (("composed", {}), (f"chat model, {CHAT_MS} ms", {"DBRAG_CHAT_MODEL": "gpt-4o-mini"})):
        with (
            ProviderServer(base_ms=150, chat_ms=CHAT_MS) as provider,
            running_stack(folder / name[:4], provider.url, env) as stack,
            closing(Client(stack)) as client,
            _database(stack, "many", lambda conn: make_many(conn, "many", tables)) as dsn,
        ):
            for what in ("first", "again, unchanged"):
                provider.forget()
                began = time.perf_counter()
                job = _describe(client, "many", dsn)
                stats = provider.stats()
                rows.append(
                    {
                        "descriptions": name,
                        "update": what,
                        "tables": job["counts"]["completed"],
                        "seconds": round(time.perf_counter() - began, 1),
                        "requests to the chat model": stats["chat_requests"],
                        "requests for vectors": stats["requests"],
                    }
                )
    return {"Speed": rows}


@contextmanager
def _database(stack: Stack, name: str, fill: Callable[[psycopg.Connection[Any]], object]) -> Iterator[str]:
    """A database on the stack's server; its DSN."""
    url = stack.env["DATABASE_URL"]
    dsn = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")  # pyright: ignore[reportArgumentType, reportCallIssue]
    with psycopg.connect(dsn, autocommit=True) as conn:
        fill(conn)
        conn.execute("ANALYZE")
    yield dsn


def _shop() -> Any:
    return (ROOT / "samples" / "databases" / "shop.sql").read_text()


def _describe(client: Client, name: str, dsn: str) -> dict[str, Any]:
    client.http.put(f"/v1/connections/{name}", json={"dsn": dsn}).raise_for_status()
    job_id = client.post(f"/v1/connections/{name}/catalog:update", {})  # pyright: ignore[reportArgumentType]
    client.wait([job_id])
    return client.http.get(f"/v1/jobs/{job_id}").json()


def _ingest(client: Client) -> None:
    """What the demo ingests, and a few notes of the shop's; broken samples fail on purpose."""
    for name in ("samples", "notes"):
        client.http.put(f"/v1/collections/{name}", json={}).raise_for_status()
    documents = [str(path) for path in (ROOT / "docs").glob("*.md")]
    files = [
        source
        for source in find([str(ROOT / "samples"), *documents], recursive=True, base=ROOT)
        if not source.path.name.startswith("broken") and source.path.suffix != ".sql"
    ]
    parts = [("file", (source.name, source.read())) for source in files]
    batch = client.http.post("/v1/collections/samples/documents:batch", files=parts).raise_for_status().json()
    notes = [{"external_id": name, "text": text} for name, text in NOTES.items()]
    client.wait([batch["id"], client.post("/v1/collections/notes/documents:batch", notes)])


def _hits(client: Client, mode: str) -> dict[str, Any]:
    found = [0] * len(PLACES)
    for question, wanted in TABLES.items():
        body = {"query": question, "limit": max(PLACES), "mode": mode}
        data = client.http.post("/v1/catalog/search", json=body).raise_for_status().json()["data"]
        names = [f"{hit['schema']}.{hit['table']}" for hit in data]
        for place, most in enumerate(PLACES):
            found[place] += bool(set(names[:most]) & set(wanted))
    return {"mode": mode} | {f"hit@{most}": f"{n / len(TABLES):.3f}" for most, n in zip(PLACES, found, strict=True)}


def _routed(client: Client) -> list[dict[str, Any]]:
    """How many questions went where they should, and how far the scores are from the truth (0.25: knows nothing)."""
    answers = [
        client.http.post("/v1/route", json={"query": question}).raise_for_status().json() for question, _ in QUESTIONS
    ]
    rows: list[dict[str, Any]] = []
    for kind in ("tables", "documents", "both", "none"):
        targets = [answer["target"] for answer, (_, wanted) in zip(answers, QUESTIONS, strict=True) if wanted == kind]
        rows.append({"answered by": kind, "questions": len(targets)} | {t: targets.count(t) for t in _TARGETS})
    for side in ("documents", "tables"):
        truth = [wanted in (side, "both") for _, wanted in QUESTIONS]
        errors = [(answer["scores"][side] - is_so) ** 2 for answer, is_so in zip(answers, truth, strict=True)]
        rows.append({"answered by": f"Brier score, {side}", "questions": f"{fmean(errors):.3f}"})
    return [{key: row.get(key, "") for key in rows[0]} for row in rows]


_TARGETS = ("tables", "documents", "both", "none")


def _latency(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Each question once to have its vector cached, then some times with an answer that is not."""
    seconds: list[float] = []
    for repeat in range(REPEATS + 1):
        for question, _ in QUESTIONS:
            # Another limit is another question to the cache of answers; the vector is the same.
            asked = {"query": question} | body | {"limit": body["limit"] + repeat}
            began = time.perf_counter()
            client.http.post(path, json=asked).raise_for_status()
            if repeat:
                seconds.append(time.perf_counter() - began)
    figures = {f"p{p} ms": f"{1000 * percentile(seconds, p):.0f}" for p in (50, 95, 99)}
    return {"request": path, "requests": len(seconds)} | figures


def _fitted(stack: Stack) -> list[dict[str, Any]]:
    runtime = _runtime(stack)
    try:
        documents, tables = _features(runtime)
    finally:
        runtime.close()
    kinds = [kind for _, kind in QUESTIONS]
    rows: list[dict[str, Any]] = []
    judged: dict[str, list[float]] = {}
    for side, features in (("documents", documents), ("tables", tables)):
        x = np.array(features)
        y = np.array([kind in (side, "both") for kind in kinds], float)
        judged[side] = _left_out(x, y)
        bias, coverage, lead = _fit(x, y)
        brier = float(np.mean((np.array(judged[side]) - y) ** 2))
        rows.append(
            {"side": side, "bias": f"{bias:.2f}", "coverage": f"{coverage:.2f}", "lead": f"{lead:.2f}"}
            | {"Brier score, left out": f"{brier:.3f}", "right, left out": ""}
        )
    right = [
        verdict(Scores(d, t)).value == kind
        for d, t, kind in zip(judged["documents"], judged["tables"], kinds, strict=True)
    ]
    rows.append(dict.fromkeys(rows[0], "") | {"side": "verdict", "right, left out": f"{fmean(right):.3f}"})
    return rows


def _runtime(stack: Stack) -> Runtime:
    os.environ.update(stack.env)
    return open_runtime(Settings())  # pyright: ignore[reportCallIssue] - from the environment


def _features(runtime: Runtime) -> tuple[list[Features], list[Features]]:
    with runtime.pool.connection() as conn:
        row = conn.execute("SELECT id FROM tenants WHERE name = 'default'").fetchone()
        tenant_id = row[0] if row else sys.exit("no tenant")
        catalog = home.find(conn, tenant_id) or sys.exit("no catalog")
        several = [collections.get(conn, tenant_id, name) for name in ("samples", "notes")]
    documents: list[Features] = []
    tables: list[Features] = []
    for question, _ in QUESTIONS:
        of_tables = look(runtime, catalog, question)
        of_documents = max(
            (look(runtime, one, question) for one in several), key=lambda side: side.coverage + side.similarity
        )
        documents.append(Features(of_documents.coverage, of_documents.lead(of_tables)))
        tables.append(Features(of_tables.coverage, of_tables.lead(of_documents)))
    return documents, tables


def _fit(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Newton's steps for logistic regression."""
    a = np.c_[np.ones(len(x)), x]
    ridge = RIDGE * np.diag([0.0, *[1.0] * x.shape[1]])
    weights = np.zeros(a.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-a @ weights))
        gradient = a.T @ (p - y) + ridge @ weights
        weights -= np.linalg.solve((a * (p * (1 - p))[:, None]).T @ a + ridge + 1e-9 * np.eye(len(weights)), gradient)
    return weights


def _left_out(x: NDArray[Any], y: NDArray[Any]) -> list[float]:
    """Each one's probability by a curve that was fitted to the others."""
    judged: list[float] = []
    for one in range(len(y)):
        others = np.arange(len(y)) != one
        weights = _fit(x[others], y[others])
        judged.append(float(1 / (1 + np.exp(-np.r_[1, x[one]] @ weights))))
    return judged


if __name__ == "__main__":
    main()
