"""What a worker's main process tells Prometheus of the children that do the work."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic, sleep

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dbrag.devstack.process import Process
from tests.running import Platform

MODEL = "text-embedding-3-small"


@pytest.fixture
def worker(platform: Platform) -> Iterator[Process]:
    """The only worker, for the time of a test; its `url` is that of its metrics."""
    port = platform.servers.ports.take()
    spec = platform.apps.worker("worker-metrics", "metrics", concurrency=2)
    spec = replace(spec, env={**spec.env, "DBRAG_WORKER_METRICS": str(port)}, url=f"http://127.0.0.1:{port}/metrics")
    with platform.down(platform.worker):
        process = platform.servers.launch(spec)
        yield process
        process.stop()


def told(worker: Process) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = httpx.get(worker.spec.url, trust_env=False).raise_for_status().text
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(worker: Process, name: str, **labels: str) -> float:
    return told(worker).get((name, frozenset(labels.items())), 0.0)


def ingest(platform: Platform, path: str, name: str) -> None:
    job = platform.wait(platform.ingest(path, [{"external_id": name, "text": f"A text of {name}."}]))[0]
    assert job["status"] == "succeeded"


def test_what_children_did_is_told_by_the_main_process_and_outlives_them(platform: Platform, worker: Process) -> None:
    path = platform.collection("told-by-workers")
    assert value(worker, "dbrag_worker_children") == 2
    assert value(worker, "dbrag_worker_memory_bytes", of="largest") > 1 << 20
    ingest(platform, path, "one")
    assert value(worker, "dbrag_provider_requests_total", model=MODEL, outcome="answered") == 1
    assert value(worker, "dbrag_provider_request_inputs_sum", model=MODEL) == 1
    assert value(worker, "dbrag_provider_request_tokens_sum", model=MODEL) > 0
    assert value(worker, "dbrag_provider_cost_usd_total", model=MODEL) > 0
    assert value(worker, "dbrag_cache_lookups_total", cache="vectors", answer="miss") == 1
    ended = {"kind": "ingest_document", "queue": "default"}
    assert value(worker, "dbrag_jobs_ended_total", **ended, status="succeeded") == 1
    assert value(worker, "dbrag_job_seconds_count", **ended) == 1
    assert value(worker, "dbrag_pool_asked_total") > 0

    main = psutil.Process(worker.pid)
    gone = [child for child in main.children() if "python" in child.name() or "celery" in child.name()]
    for child in gone:
        os.kill(child.pid, signal.SIGKILL)
    deadline = monotonic() + 30
    while value(worker, "dbrag_worker_children") < 2 or {child.pid for child in main.children()} & {
        c.pid for c in gone
    }:
        assert monotonic() < deadline
        sleep(0.1)
    ingest(platform, path, "two")
    assert value(worker, "dbrag_provider_requests_total", model=MODEL, outcome="answered") == 2
    assert value(worker, "dbrag_job_seconds_count", **ended) == 2


def test_a_refusal_of_the_provider_is_told_by_its_code(platform: Platform, worker: Process) -> None:
    path = platform.collection("refused-by-provider")
    platform.provider.script(next=[{"status": 429, "retry_after": 0.1}])
    ingest(platform, path, "refused")
    assert value(worker, "dbrag_provider_requests_total", model=MODEL, outcome="rate_limited") == 1
    assert value(worker, "dbrag_governor_pauses_total") == 1
