"""SIGTERM: workers end within their grace period, and whoever waits for a job notices nothing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psutil
import pytest

from dbrag.devstack.process import Process
from dbrag.errors import Permanent
from tests.running import LEASE_S, PATIENCE_S, Platform

# What docs/operations.md tells operators to give.
GRACE_S = LEASE_S + 10


@pytest.fixture
def second(platform: Platform) -> Iterator[Process]:
    """Another worker, that is started by the test and is gone after it."""
    spec = platform.apps.worker("worker-2", "second", concurrency=2)
    process = platform.servers.spawn(spec)
    process.wait_until_ready()
    yield process
    process.stop()
    del platform.servers.processes["worker-2"]


@contextmanager
def ended(worker: Process) -> Iterator[bool]:
    """Ends a worker for the time of the block, as a supervisor does; says whether it ended by itself, in good order.

    Celery's own shutdown was seen to hang once in some sixty times, when all tasks were over: hence SIGKILL behind it,
    which nobody may notice either.
    """
    children = psutil.Process(worker.pid).children(recursive=True)
    worker.ask_to_stop()
    try:
        in_order = worker.wait(GRACE_S) == 0 and psutil.wait_procs(children, timeout=1)[1] == []
    except Permanent:
        in_order = False
        worker.kill()
    try:
        yield in_order
    finally:
        worker.restart()


@contextmanager
def load(platform: Platform, path: str) -> Iterator[list[str]]:
    """Batches of documents, one after the other, until the block ends; their jobs."""
    jobs, stopping = list[str](), Event()

    def submit() -> None:
        while not stopping.wait(0.25):
            names = [f"{path}-{len(jobs)}-{n}" for n in range(10)]
            jobs.append(platform.ingest(path, [{"external_id": name, "text": f"{name} says so."} for name in names]))

    thread = Thread(target=submit)
    thread.start()
    try:
        yield jobs
    finally:
        stopping.set()
        thread.join()


def test_a_rolling_restart_of_all_workers_under_load_is_noticed_by_no_job(platform: Platform, second: Process) -> None:
    path = platform.collection("rolling")
    platform.provider.script(always={"delay_s": 0.3})
    in_order: list[bool] = []
    with load(platform, path) as job_ids:
        for worker in (platform.worker, second):
            platform.wait(platform.ingest(path, [{"external_id": "again", "text": f"{time.monotonic()} o'clock"}]))
            with ended(worker) as ended_by_itself:
                in_order.append(ended_by_itself)
    assert in_order.count(False) <= 1
    jobs = platform.wait(*job_ids)
    assert {job["status"] for job in jobs} == {"succeeded"}
    assert {job["attempt"] for job in jobs} == {1}
    assert max(platform.provider.stats()["answered"].values()) == 1
    with platform.database() as conn:
        waits = conn.execute(
            "SELECT max(extract(epoch FROM finished_at - created_at)) FROM jobs WHERE id = ANY(%s::uuid[])", [job_ids]
        )
        assert waits.fetchone()[0] < GRACE_S


BUILDING = """
SELECT j.id FROM jobs j WHERE j.kind = 'rebuild_index' AND j.status = 'running' AND EXISTS (
    SELECT FROM pg_stat_progress_create_index WHERE phase LIKE 'building index%%' AND blocks_done > 2)
"""


def test_an_index_build_under_way_is_handed_back_and_finished_by_another_worker(platform: Platform) -> None:
    path = platform.collection("long-build", dimensions=1024, m=64, ef_construction=1000)
    platform.wait(platform.ingest(path, [{"external_id": str(n), "text": f"{n} and {n * n}."} for n in range(1000)]))
    deadline = time.monotonic() + PATIENCE_S
    with platform.database() as conn:
        while not (row := conn.execute(BUILDING).fetchone()):
            assert time.monotonic() < deadline, "no index is being built"
            conn.rollback()
            time.sleep(0.02)
    with ended(platform.worker):
        [job] = platform.wait(str(row[0]), until=lambda job: True)
        assert job["status"] == "queued"
    [job] = platform.wait(str(row[0]))
    assert (job["status"], job["attempt"]) == ("succeeded", 1)
