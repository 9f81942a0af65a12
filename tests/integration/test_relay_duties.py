"""The relay's duties at jobs that nothing else would end, and what it counts."""

import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from uuid import UUID

import httpx
import pytest
from prometheus_client import REGISTRY

from dbrag.database.pool import Connection
from dbrag.devstack.servers import Servers
from dbrag.documents import endings
from dbrag.documents.accept import accept
from dbrag.documents.attempt import AttemptFailed
from dbrag.documents.ingest import ingest
from dbrag.documents.model import Collection, Submission
from dbrag.errors import Permanent
from dbrag.jobs import jobs
from dbrag.jobs.model import Kind, Queue, Status
from dbrag.jobs.relay import Relay
from dbrag.runtime import Runtime
from dbrag.settings import Settings

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.usefixtures("redis")


def submit(conn: Connection, collection: Collection, *names: str) -> UUID:
    with conn.transaction():
        items = [Submission(name, text=f"Text of {name}.") for name in names]
        return accept(conn, collection, Kind.INGEST_DOCUMENT, Queue.LOW, items).id


def done(duty: str) -> float:
    return REGISTRY.get_sample_value("dbrag_relay_jobs_total", {"duty": duty}) or 0.0


def test_a_message_for_a_job_that_is_over_does_nothing(
    conn: Connection, own_collection: Collection, runtime: Runtime
) -> None:
    over, cancelling = submit(conn, own_collection, "over"), submit(conn, own_collection, "cancelling")
    with conn.transaction():
        endings.fail(conn, over, Permanent("for this test"))
    with conn.transaction():
        jobs.cancel(conn, own_collection.tenant_id, cancelling)
    history = "SELECT count(*) FROM job_events WHERE job_id = ANY(%s)"
    before = conn.execute(history, [[over, cancelling]]).fetchone()
    for job_id in (over, cancelling):
        assert ingest(runtime, job_id) == {"claimed": False}
    assert conn.execute(history, [[over, cancelling]]).fetchone() == before


def test_a_job_whose_collection_is_gone_ends_when_it_is_claimed(
    conn: Connection, own_collection: Collection, runtime: Runtime
) -> None:
    job_id = submit(conn, own_collection, "a")
    conn.execute("UPDATE jobs SET collection_id = NULL WHERE id = %s", [job_id])
    with pytest.raises(AttemptFailed):
        ingest(runtime, job_id)
    job = jobs.get(conn, own_collection.tenant_id, job_id)
    assert (job.status, job.error and job.error["code"]) == (Status.FAILED, "collection_deleted")


@pytest.mark.parametrize("status", ["running", "held"])
def test_a_job_whose_documents_wait_for_no_text_is_ended_with_the_reason_and_can_be_retried(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay, status: str
) -> None:
    lost, well = submit(conn, own_collection, "lost"), submit(conn, own_collection, "well")
    for job_id in (lost, well):
        ingest(runtime, job_id)
    conn.execute("DELETE FROM pending WHERE job_id = %s", [lost])
    conn.execute("UPDATE jobs SET status = %s, reason_code = 'indexing' WHERE id = ANY(%s)", [status, [lost, well]])
    assert relay.fail_stranded_jobs() >= 1
    ended = jobs.get(conn, own_collection.tenant_id, lost)
    assert (ended.status, ended.error and ended.error["code"]) == (Status.FAILED, "stranded")
    assert jobs.get(conn, own_collection.tenant_id, well).status is Status(status)
    with conn.transaction():
        jobs.retry(conn, own_collection.tenant_id, lost)
    ingest(runtime, lost)
    assert conn.execute("SELECT count(*) FROM pending WHERE job_id = %s", [lost]).fetchone() == (1,)


@pytest.mark.usefixtures("redis")  # so that the queues have room
def test_a_pass_counts_what_it_did(conn: Connection, own_collection: Collection, relay: Relay) -> None:
    ids = [submit(conn, own_collection, str(n)) for n in range(3)]
    with conn.transaction():
        jobs.cancel(conn, own_collection.tenant_id, ids[0])
    published, cancelled = done("published"), done("cancelled")
    passes = REGISTRY.get_sample_value("dbrag_relay_passes_total") or 0.0
    relay.run_pass()
    assert done("cancelled") - cancelled >= 1
    assert done("published") - published == 2
    assert REGISTRY.get_sample_value("dbrag_relay_passes_total") == passes + 1
    assert REGISTRY.get_sample_value("dbrag_relay_pass_seconds_count") or passes + 1 <= 0


def test_a_relay_serves_its_metrics_where_it_is_told_to(quiet_servers: Servers, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    env = quiet_servers.env | {"DBRAG_RELAY_METRICS": str(port)}
    argv = [sys.executable, "-c", "from dbrag.cli.main import app; app()", "relay"]
    with subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as relay:
        try:
            deadline, text = monotonic() + 30, ""
            while "dbrag_relay_passes_total 0" in text or "dbrag_relay_passes_total" not in text:
                assert relay.poll() is None
                assert monotonic() < deadline, text[-500:]
                sleep(0.1)
                try:
                    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
                except httpx.TransportError:
                    continue
            for duty in ("published", "stranded", "held_paused", "texts_freed"):
                assert f'dbrag_relay_jobs_total{{duty="{duty}"}}' in text
        finally:
            relay.terminate()
        assert relay.wait(20) == 0
