"""Failed jobs are found and tried again by filter."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from dbrag.database.pool import Connection
from dbrag.documents import endings
from dbrag.documents.accept import accept
from dbrag.documents.model import Collection, Refusal, Submission
from dbrag.errors import Permanent
from dbrag.jobs import dead_letters, jobs
from dbrag.jobs.dead_letters import Retried
from dbrag.jobs.model import Filters, Job, Kind, Queue, Status
from dbrag.runtime import Runtime


def failed(conn: Connection, collection: Collection, code: str, *names: str, queue: Queue = Queue.DEFAULT) -> Job:
    """A job of which all has failed with this code."""
    with conn.transaction():
        items = [Submission(name, text="t") for name in names or ("a",)]
        job = accept(conn, collection, Kind.INGEST_DOCUMENT, queue, items)
        endings.fail(conn, job.id, Permanent("no", code=code))
    return jobs.get(conn, job.tenant_id, job.id)


@pytest.fixture
def dead(conn: Connection, own_collection: Collection) -> list[Job]:
    """Three that can be tried again, and one that cannot."""
    found = [
        failed(conn, own_collection, "worker_lost", "a"),
        failed(conn, own_collection, "unreadable_file", "b", queue=Queue.LOW),
        failed(conn, own_collection, "worker_lost", "c", "d"),
    ]
    with conn.transaction():
        refused = accept(conn, own_collection, Kind.INGEST_DOCUMENT, Queue.DEFAULT, [Refusal("e", "invalid", "no")])
    return [*found, refused]


def status(conn: Connection, job: Job) -> Status:
    return jobs.get(conn, job.tenant_id, job.id).status


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(status=Status.FAILED), [0, 1, 2]),
        (Filters(status=Status.COMPLETED_WITH_ERRORS), []),
        (Filters(code="worker_lost"), [0, 2]),
        (Filters(code="worker_lost", queue=Queue.LOW), []),
        (Filters(queue=Queue.LOW), [1]),
        (Filters(kind=Kind.BATCH_EMBED), []),
        (Filters(collection_id=0), []),
        (Filters(code="invalid"), []),
    ],
)
def test_jobs_that_match_are_tried_again_oldest_first(
    runtime: Runtime, conn: Connection, dead: list[Job], tenant_id: UUID, filters: Filters, expected: list[int]
) -> None:
    done = dead_letters.retry_matching(runtime.pool, tenant_id, filters, 10)
    assert [job.id for job in done.jobs] == [dead[place].id for place in expected]
    assert all(job.status is Status.QUEUED for job in done.jobs)
    assert (done.skipped, done.next_after) == (0, None)
    untouched = [job for place, job in enumerate(dead) if place not in expected]
    assert {status(conn, job) for job in untouched} <= {Status.FAILED}


def test_they_are_tried_page_by_page_and_none_twice(
    runtime: Runtime, conn: Connection, dead: list[Job], tenant_id: UUID
) -> None:
    everything = Filters(status=Status.FAILED)
    first = dead_letters.retry_matching(runtime.pool, tenant_id, everything, 2)
    assert ([job.id for job in first.jobs], first.next_after) == ([dead[0].id, dead[1].id], dead[1].id)
    with conn.transaction():
        endings.fail(conn, dead[0].id, Permanent("no", code="again"))
    rest = dead_letters.retry_matching(runtime.pool, tenant_id, everything, 2, first.next_after)
    assert ([job.id for job in rest.jobs], rest.next_after) == ([dead[2].id], None)


def test_the_time_of_acceptance_bounds_them(runtime: Runtime, dead: list[Job], tenant_id: UUID) -> None:
    middle = dead[1].created_at
    between = Filters(since=middle, until=middle + timedelta(microseconds=1))
    found = dead_letters.retry_matching(runtime.pool, tenant_id, between, 10).jobs
    assert [job.id for job in found] == [dead[1].id]


def test_what_is_listed_with_a_filter_is_what_it_tries_again(
    runtime: Runtime, conn: Connection, dead: list[Job], tenant_id: UUID
) -> None:
    filters = Filters(status=Status.FAILED, code="worker_lost", until=dead[3].created_at)
    listed = [job.id for job in jobs.page(conn, tenant_id, filters)]
    assert listed[::-1] == [job.id for job in dead_letters.retry_matching(runtime.pool, tenant_id, filters, 10).jobs]
    assert jobs.page(conn, tenant_id, filters) == []
    assert [job.id for job in jobs.page(conn, tenant_id, replace(filters, status=None, code="invalid"))] == []


def test_with_a_code_only_items_that_failed_with_it_are_tried_again(
    runtime: Runtime, conn: Connection, own_collection: Collection
) -> None:
    job = failed(conn, own_collection, "request_refused", "a", "b", "c")
    conn.execute(
        'UPDATE job_items SET error = \'{"code": "bad_vector", "detail": "no"}\' WHERE job_id = %s AND index = 1',
        [job.id],
    )
    conn.execute('UPDATE jobs SET error = \'{"code": "all_items_failed"}\' WHERE id = %s', [job.id])
    (again,) = dead_letters.retry_matching(runtime.pool, job.tenant_id, Filters(code="bad_vector"), 10).jobs
    assert (again.status, again.failed) == (Status.QUEUED, 2)
    waiting = "SELECT item_index FROM document_versions WHERE job_id = %s AND status = 'waiting'"
    assert conn.execute(waiting, [job.id]).fetchall() == [(1,)]


def test_two_sweeps_at_once_try_each_job_once(runtime: Runtime, conn: Connection, own_collection: Collection) -> None:
    dead = {failed(conn, own_collection, "worker_lost", str(number)).id for number in range(20)}

    def sweep(_: int) -> Retried:
        return dead_letters.retry_matching(runtime.pool, own_collection.tenant_id, Filters(code="worker_lost"), 50)

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(sweep, range(2))
    assert sorted(job.id for job in first.jobs + second.jobs) == sorted(dead)
    queued = "SELECT count(*) FROM job_events WHERE job_id = ANY(%s) AND status = 'queued'"
    assert conn.execute(queued, [list(dead)]).fetchone() == (2 * len(dead),)


def test_another_tenants_jobs_match_nothing(runtime: Runtime, dead: list[Job]) -> None:
    stranger = UUID("00000000-0000-7000-8000-000000000000")
    assert dead_letters.retry_matching(runtime.pool, stranger, Filters(status=Status.FAILED), 10).jobs == []
