"""A real Prometheus that scrapes the running platform has an answer to the query of every panel."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from dbrag.devstack.process import Spec
from tests.running import Platform

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
# What there is only after a probe, an answer 5xx, a limit that the provider told, and an outage.
MAY_BE_EMPTY = {
    "Recall, the lowest",
    "Share of requests answered 5xx",
    "What is left of the provider's limits",
    "Models that are left alone",
}


@pytest.fixture
def prometheus(platform: Platform, tmp_path: Path) -> Iterator[str]:
    """Its URL. The platform's worker is replaced by one that serves its metrics; a second relay does."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed: apt-get install prometheus")
    ports = platform.servers.ports
    relay_port, worker_port, port = ports.take(), ports.take(), ports.take()
    relay, worker = platform.apps.relay(), platform.apps.worker("worker-scraped", "scraped", concurrency=1)
    relay = replace(relay, name="relay-scraped", env={**relay.env, "DBRAG_RELAY_METRICS": str(relay_port)})
    worker = replace(worker, env={**worker.env, "DBRAG_WORKER_METRICS": str(worker_port)})
    targets = {"dbrag-api": platform.api.url.rpartition("/")[2], "dbrag-relay": f"127.0.0.1:{relay_port}"}
    targets["dbrag-worker"] = f"127.0.0.1:{worker_port}"
    scrapes = [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in targets.items()]
    config = tmp_path / "prometheus.yml"
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": scrapes}))
    url = f"http://127.0.0.1:{port}"
    argv = [program, f"--config.file={config}", f"--storage.tsdb.path={tmp_path}", f"--web.listen-address={url[7:]}"]
    spec = Spec(name="prometheus", argv=argv, cwd=tmp_path, env={}, ready=lambda: _is_up(url, len(targets)), url=url)
    with ExitStack() as stack:
        stack.enter_context(platform.down(platform.worker))
        log = platform.servers.folder / "logs" / "relay-scraped.log"
        for one in (replace(relay, ready=lambda: log.stat().st_size > 0), worker, spec):
            process = platform.servers.launch(one)
            stack.callback(process.stop)
        yield url


def test_every_panel_has_data_once_a_document_was_ingested_and_found(platform: Platform, prometheus: str) -> None:
    path = platform.collection("scraped")
    deadline, missing, turn = monotonic() + 60, {"": ""}, 0
    while missing:
        assert monotonic() < deadline, missing
        turn += 1
        platform.wait(platform.ingest(path, [{"external_id": "a", "text": f"Text {turn}."}]))
        platform.search(path, f"Text {turn}.")
        sleep(1)  # as long as it takes Prometheus to look again
        missing = {title: query for title, query in _panels() if not _ask(prometheus, query)}
        missing = {title: query for title, query in missing.items() if title not in MAY_BE_EMPTY}


def _panels() -> Iterator[tuple[str, str]]:
    for path in GRAFANA.glob("*.json"):
        for panel in json.loads(path.read_text())["panels"]:
            yield from ((panel["title"], target["expr"]) for target in panel["targets"])


def _ask(url: str, query: str) -> list[Any]:
    answer = httpx.get(f"{url}/api/v1/query", params={"query": query}, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["result"]


def _is_up(url: str, targets: int) -> bool:
    try:
        return len(_ask(url, "up == 1")) == targets
    except httpx.TransportError:
        return False
    except AssertionError:  # it is still starting
        return False
