"""What is urgent is served first, and what is not is served too."""

import time
from typing import Any
from uuid import uuid4

from dbrag.documents import collections
from dbrag.documents.accept import accept
from dbrag.documents.model import Submission
from dbrag.jobs.model import Kind, Queue
from tests.running import Platform


def document(name: str) -> list[dict[str, Any]]:
    return [{"external_id": name, "text": f"The document {name}."}]


def flood(platform: Platform, name: str, queue: Queue, count: int) -> None:
    """So many jobs of one document each, as the API accepts them, but in one transaction."""
    with platform.database() as conn:
        row = conn.execute(
            "SELECT tenant_id FROM collections WHERE name = %s AND deleted_at IS NULL", [name]
        ).fetchone()
        collection = collections.get(conn, row[0] if row else uuid4(), name)
        for n in range(count):
            item = Submission(f"{queue}-{n}", text=f"The document {n} of {queue}.")
            accept(conn, collection, Kind.INGEST_DOCUMENT, queue, [item])


def started(platform: Platform) -> list[str]:
    """The queues of the flooded jobs that have begun, in their order."""
    with platform.database() as conn:
        rows = conn.execute(
            "SELECT j.queue FROM jobs j JOIN collections c ON c.id = j.collection_id WHERE c.name = 'urgent' "
            "AND j.started_at IS NOT NULL ORDER BY j.started_at"
        )
        return [row[0] for row in rows]


def test_a_critical_job_is_served_before_thousands_that_waited_longer(platform: Platform) -> None:
    path = platform.collection("urgent")
    with platform.down(platform.worker):
        flood(platform, "urgent", Queue.LOW, 2000)
        flood(platform, "urgent", Queue.DEFAULT, 500)
        own = platform.servers.launch(platform.apps.worker_critical())
        try:  # by the worker of its own at once
            first = platform.ingest(path, document("c1"), queue="critical")
            assert platform.wait(first)[0]["status"] == "succeeded"
            assert started(platform) == ["critical"]
        finally:
            own.stop()
        second = platform.ingest(path, document("c2"), queue="critical")
        waiting = {queue["name"]: queue["waiting"] for queue in platform.client.get("/queues").json()["data"]}
        assert waiting == {"critical": 1, "default": 500, "low": 2000}
    assert platform.wait(second)[0]["status"] == "succeeded"
    while len(begun := started(platform)) < 20:
        time.sleep(0.05)
    # The two children of the worker may each have fetched one message before they looked at all queues.
    assert "critical" in begun[1:4]
    assert "low" not in begun
    platform.client.delete(path)  # so that nobody has to wait for the others


def test_a_worker_for_low_serves_it_while_nobody_else_does(platform: Platform) -> None:
    path = platform.collection("patient")
    with platform.down(platform.worker):
        low = platform.servers.launch(platform.apps.worker_low())
        try:
            job_id = platform.ingest(path, document("low"), queue="low")
            assert platform.wait(job_id)[0]["status"] == "succeeded"
        finally:
            low.stop()
