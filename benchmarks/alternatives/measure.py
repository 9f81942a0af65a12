"""One alternative's run: a fresh PostgreSQL, its driver as a process of its own, and the meters on both."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg.sql import SQL, Identifier

from benchmarks.alternatives.venvs import NotInstalled, python_of
from benchmarks.corpus import Document
from benchmarks.processes import OWN, Meter
from benchmarks.stack import ROOT
from dbrag.devstack.servers import Servers
from tests.provider import ProviderServer

TIMEOUT_S = 600.0
NO_REDIS = {"CELERY_BROKER_URL": "none", "CACHE_URL": "none"}


@dataclass
class Result:
    """One run; `skipped` says why there is none. For the alternatives searchable and indexed are the same moment."""

    name: str
    skipped: str | None = None
    chunks: int = 0
    seconds: float = 0.0
    chunks_per_s: float = 0.0
    client_cpu_s_per_1000_chunks: float = 0.0
    postgres_cpu_s_per_1000_chunks: float = 0.0
    requests: int = 0
    most_requests_in_flight: int = 0


class Failed(Exception):
    """With the driver's last words."""


def measure(name: str, documents: list[Document], venvs: Path, provider: ProviderServer) -> Result:
    """Ingest `documents` with the alternative `name`."""
    try:
        python = python_of(name, venvs)
        with TemporaryDirectory(prefix=f"dbrag-{name}-") as folder, Servers.start(Path(folder), NO_REDIS) as servers:
            return _measure(name, python, documents, Path(folder), servers, provider)
    except (NotInstalled, Failed) as error:
        return Result(name, skipped=f"{type(error).__name__}: {error}")


def _measure(
    name: str, python: Path, documents: list[Document], folder: Path, servers: Servers, provider: ProviderServer
) -> Result:
    url = servers.env["DATABASE_URL"]
    (folder / "documents.json").write_text(json.dumps(documents))
    task = {"database_url": url, "documents": str(folder / "documents.json"), "folder": str(folder)}
    (folder / "task.json").write_text(json.dumps(task))
    with _driver(name, python, folder, provider.url) as driver:
        _read(driver, folder)
        provider.forget()
        meter = Meter({"driver": driver.pid, "postgres": servers["postgres"].pid})
        meter.start()
        start = time.perf_counter()
        _tell(driver)
        table = _read(driver, folder)
        seconds = time.perf_counter() - start
        cpu_s = meter.cpu_s()
    stats = provider.stats()
    chunks = _chunks_stored(url, table)
    return Result(
        name=name,
        chunks=chunks,
        seconds=seconds,
        chunks_per_s=chunks / seconds,
        client_cpu_s_per_1000_chunks=cpu_s[OWN] * 1000 / chunks,
        postgres_cpu_s_per_1000_chunks=cpu_s["PostgreSQL"] * 1000 / chunks,
        requests=len(stats["inputs"]),
        most_requests_in_flight=stats["max_in_flight"],
    )


@contextmanager
def _driver(name: str, python: Path, folder: Path, provider_url: str) -> Iterator[subprocess.Popen[str]]:
    env = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    env |= {"OPENAI_BASE_URL": provider_url, "OPENAI_API_KEY": "benchmark", "ANONYMIZED_TELEMETRY": "false"}
    argv = [python, "-m", f"benchmarks.alternatives.drive_{name}", str(folder / "task.json")]
    with (
        (folder / "driver.log").open("w") as log,
        subprocess.Popen(
            argv, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        limit = threading.Timer(TIMEOUT_S, process.kill)
        limit.start()
        try:
            yield process
        finally:
            limit.cancel()
            process.kill()


def _read(driver: subprocess.Popen[str], folder: Path) -> str:
    """The driver's next line, or Failed if it has ended; other libraries' output on its stdout comes before it."""
    assert driver.stdout
    for line in driver.stdout:
        if line.startswith("driver: "):
            return line.removeprefix("driver: ").strip()
    words = (folder / "driver.log").read_text().strip()
    print(words, file=sys.stderr)
    errors = [line for line in words.splitlines() if "Error: " in line]
    raise Failed(errors[-1].strip(" |")[:300] if errors else f"it ended, or had no answer within {TIMEOUT_S:.0f} s")


def _tell(driver: subprocess.Popen[str]) -> None:
    assert driver.stdin
    driver.stdin.write("go\n")
    driver.stdin.flush()


def _chunks_stored(url: str, table: str) -> int:
    """The rows with a vector. Raises Failed where they are not in a valid HNSW index."""
    with psycopg.connect(url) as conn:
        indexes = "SELECT count(*) FROM pg_indexes JOIN pg_index ON indexrelid = to_regclass(quote_ident(indexname))"
        indexes += " WHERE tablename = %s AND indexdef LIKE '%%USING hnsw%%' AND indisvalid"
        if conn.execute(indexes, [table]).fetchone() != (1,):
            raise Failed(f"{table} has no HNSW index")
        row = conn.execute(SQL("SELECT count(embedding) FROM {}").format(Identifier(table))).fetchone()
        return row[0] if row else 0
