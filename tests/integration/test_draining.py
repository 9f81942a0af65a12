"""Work that stops between two steps, or in the middle of a long one, since its worker is to end."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from time import monotonic
from uuid import UUID

import pytest

from dbrag.database.pool import Connection, connect
from dbrag.documents import ingest
from dbrag.documents.accept import accept
from dbrag.documents.model import Collection, Submission
from dbrag.jobs import jobs
from dbrag.jobs.model import Kind, Queue, Status
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from dbrag.vectors import build
from tests.integration.stored import fill_segments, statuses
from tests.integration.test_generations import put, submit
from tests.integration.test_rebuild import building, job, nothing_is_left, request, slow_collection, until

__all__ = ["slow_collection"]


def after(calls: int) -> Callable[[], bool]:
    """Draining from so many looks on."""
    looks = iter(range(1000))
    return lambda: next(looks) >= calls


@pytest.fixture
def many(conn: Connection, own_collection: Collection) -> UUID:
    """A job of three blocks."""
    with conn.transaction():
        items = [Submission(str(n), text=f"Text {n}.") for n in range(2 * ingest.BLOCK_ITEMS + 1)]
        return accept(conn, own_collection, Kind.INGEST_DOCUMENT, Queue.LOW, items).id


@pytest.mark.parametrize(("calls", "prepared"), [(0, 0), (3, 2), (100, 99)])
def test_a_worker_that_is_to_end_hands_a_batch_back_where_it_stands(
    conn: Connection, own_collection: Collection, runtime: Runtime, many: UUID, calls: int, prepared: int
) -> None:
    ingest.ingest(replace(runtime, draining=after(calls)), many)
    left = jobs.get(conn, own_collection.tenant_id, many)
    assert (left.status, left.prepared) == (Status.QUEUED, prepared)
    ingest.ingest(runtime, many)
    done = jobs.get(conn, own_collection.tenant_id, many)
    assert (done.attempt, done.prepared, done.status) == (1, done.total, Status.RUNNING)


def test_a_build_is_interrupted_leaves_nothing_and_costs_no_attempt(
    conn: Connection, slow_collection: Collection, runtime: Runtime
) -> None:
    job_id = request(conn, slow_collection)
    ending = Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(build.rebuild_index, replace(runtime, draining=ending.is_set), job_id)
        until(lambda: building(conn, slow_collection))
        ending.set()
        asked = monotonic()
        running.result(timeout=20)
    assert monotonic() - asked < 2
    assert job(conn, slow_collection, job_id).status is Status.QUEUED
    nothing_is_left(conn, slow_collection)
    build.rebuild_index(runtime, job_id)
    ended = job(conn, slow_collection, job_id)
    assert (ended.status, ended.attempt) == (Status.SUCCEEDED, 1)
    nothing_is_left(conn, slow_collection)


def test_a_merge_that_waits_for_an_old_transaction_is_interrupted_and_completed_by_the_next(
    conn: Connection, own_collection: Collection, runtime: Runtime, settings: Settings
) -> None:
    fill_segments(conn, own_collection, [20, 20, 20, 20])
    job_id = request(conn, own_collection)
    ending = Event()
    merged = "SELECT id FROM segments WHERE generation_id = %s AND status = 'building'"
    with ThreadPoolExecutor(1) as pool, connect(settings) as old:
        old.execute("SELECT count(*) FROM chunks")  # stays open
        running = pool.submit(build.rebuild_index, replace(runtime, draining=ending.is_set), job_id)
        until(lambda: conn.execute(merged, [own_collection.generation_id]).fetchone())
        ending.set()
        running.result(timeout=10)
    assert job(conn, own_collection, job_id).status is Status.QUEUED
    build.rebuild_index(runtime, job_id)
    assert job(conn, own_collection, job_id).attempt == 1
    assert statuses(conn, own_collection) == [("indexed", 80)]
    nothing_is_left(conn, own_collection)


def test_a_generation_that_is_filled_is_handed_back_between_two_steps(
    conn: Connection, own_collection: Collection, runtime: Runtime, settings: Settings
) -> None:
    submit(conn, runtime, own_collection, {str(n): f"Text {n}." for n in range(3)})
    change = put(conn, own_collection, settings, dimensions=16)
    build.rebuild_index(replace(runtime, draining=after(1)), change.id)
    left = jobs.get(conn, own_collection.tenant_id, change.id)
    assert (left.status, left.reason_code, left.attempt) == (Status.QUEUED, None, 1)
    with conn.transaction():
        jobs.cancel(conn, own_collection.tenant_id, change.id)
