"""A job goes to another queue, and its texts with it."""

from uuid import UUID, uuid4

import pytest

from dbrag.database.pool import Connection
from dbrag.documents.accept import accept
from dbrag.documents.ingest import ingest
from dbrag.documents.model import Collection, Submission
from dbrag.errors import Conflict, NotFound
from dbrag.jobs import claims, jobs, moves
from dbrag.jobs.model import Job, Kind, Queue, Status
from dbrag.runtime import Runtime
from dbrag.vectors import index


def submit(conn: Connection, collection: Collection, documents: int = 3) -> Job:
    with conn.transaction():
        items = [Submission(str(number), text=f"{str(uuid4())[:8]} {number}") for number in range(documents)]
        return accept(conn, collection, Kind.INGEST_DOCUMENT, Queue.LOW, items)


def ranks(conn: Connection, job_id: UUID) -> list[int]:
    return [row[0] for row in conn.execute("SELECT queue_rank FROM pending WHERE job_id = %s", [job_id])]


def marks(conn: Connection, job_id: UUID) -> tuple[str, str, bool]:
    """Queue, status, and whether the job is about to be published."""
    row = conn.execute("SELECT queue, status, publish_at <= now() FROM jobs WHERE id = %s", [job_id]).fetchone()
    assert row
    return row


def published(conn: Connection, job_id: UUID) -> None:
    conn.execute("UPDATE jobs SET publish_at = NULL, published_at = now() WHERE id = %s", [job_id])


def test_a_job_that_waits_is_published_in_its_new_queue(
    runtime: Runtime, conn: Connection, own_collection: Collection
) -> None:
    job = submit(conn, own_collection)
    published(conn, job.id)
    moved = moves.reprioritise(runtime.pool, job.tenant_id, job.id, Queue.CRITICAL)
    assert (moved.queue, moved.status) == (Queue.CRITICAL, Status.QUEUED)
    assert marks(conn, job.id) == ("critical", "queued", True)
    published(conn, job.id)
    moves.reprioritise(runtime.pool, job.tenant_id, job.id, Queue.CRITICAL)
    assert marks(conn, job.id) == ("critical", "queued", None), "the same queue changes nothing"


def test_texts_follow_their_job_whether_somebody_has_claimed_them_or_not(
    runtime: Runtime, conn: Connection, own_collection: Collection
) -> None:
    job = submit(conn, own_collection, moves.SLICE + 1)
    other = submit(conn, own_collection)
    assert ingest(runtime, job.id)["status"] == "running"
    ingest(runtime, other.id)
    conn.execute(
        "UPDATE pending SET claim_id = gen_random_uuid(), lease_until = now() + interval '1 hour' "
        "WHERE chunk_id = (SELECT min(chunk_id) FROM pending WHERE job_id = %s)",
        [job.id],
    )
    moved = moves.reprioritise(runtime.pool, job.tenant_id, job.id, Queue.CRITICAL)
    assert (moved.status, marks(conn, job.id)[2]) == (Status.RUNNING, None)
    assert ranks(conn, job.id) == [Queue.CRITICAL.rank] * (moves.SLICE + 1)
    assert ranks(conn, other.id) == [Queue.LOW.rank] * 3
    conn.execute("DELETE FROM pending WHERE job_id = ANY(%s)", [[job.id, other.id]])


@pytest.mark.parametrize("ending", [claims.release, claims.hand_back])
def test_texts_written_while_the_job_is_moved_follow_when_its_worker_is_done(
    runtime: Runtime, conn: Connection, own_collection: Collection, ending: object
) -> None:
    job = submit(conn, own_collection)
    ingest(runtime, job.id)
    conn.execute("UPDATE jobs SET status = 'queued' WHERE id = %s", [job.id])
    claim = claims.take(conn, job.id, runtime.settings)
    assert claim is not None
    moves.reprioritise(runtime.pool, job.tenant_id, job.id, Queue.DEFAULT)
    conn.execute("UPDATE pending SET queue_rank = %s WHERE job_id = %s", [Queue.LOW.rank, job.id])
    with conn.transaction():
        ending(conn, claim)  # pyright: ignore[reportCallIssue]
    assert ranks(conn, job.id) == [Queue.DEFAULT.rank] * 3
    conn.execute("DELETE FROM pending WHERE job_id = %s", [job.id])


def test_a_text_that_somebody_has_locked_is_not_waited_for(
    runtime: Runtime, conn: Connection, own_collection: Collection
) -> None:
    job = submit(conn, own_collection)
    ingest(runtime, job.id)
    with conn.transaction():
        conn.execute("SELECT FROM pending WHERE job_id = %s ORDER BY chunk_id LIMIT 1 FOR UPDATE", [job.id])
        moves.reprioritise(runtime.pool, job.tenant_id, job.id, Queue.CRITICAL)
    assert sorted(ranks(conn, job.id)) == [0, 0, 2]
    moves.reprioritise(runtime.pool, job.tenant_id, job.id, Queue.CRITICAL)
    assert ranks(conn, job.id) == [0, 0, 0]
    conn.execute("DELETE FROM pending WHERE job_id = %s", [job.id])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("reason_code = 'no_consumer', status = 'held'", ("critical", "queued", True)),
        ("reason_code = 'paused', status = 'held'", ("critical", "held", None)),
        ("reason_code = 'x', status = 'retrying'", ("critical", "retrying", True)),
        (
            "reason_code = 'x', status = 'retrying', reason_until = now() + interval '1 hour'",
            ("critical", "retrying", False),
        ),
    ],
)
def test_what_a_job_waits_for_decides_when_it_is_published(
    runtime: Runtime,
    conn: Connection,
    own_collection: Collection,
    before: str,
    after: tuple[str, str, bool | None],
) -> None:
    job = submit(conn, own_collection)
    if "retrying" in before:
        conn.execute("UPDATE jobs SET status = 'running', started_at = now() WHERE id = %s", [job.id])
    conn.execute(f"UPDATE jobs SET publish_at = NULL, {before} WHERE id = %s".encode(), [job.id])
    moves.reprioritise(runtime.pool, job.tenant_id, job.id, Queue.CRITICAL)
    assert marks(conn, job.id) == after


def test_what_is_over_an_index_or_anothers_is_not_moved(
    runtime: Runtime, conn: Connection, own_collection: Collection
) -> None:
    job = submit(conn, own_collection)
    with pytest.raises(NotFound):
        moves.reprioritise(runtime.pool, uuid4(), job.id, Queue.CRITICAL)
    assert marks(conn, job.id)[0] == "low"
    jobs.cancel(conn, job.tenant_id, job.id)
    with pytest.raises(Conflict, match="cancelling"):
        moves.reprioritise(runtime.pool, job.tenant_id, job.id, Queue.CRITICAL)
    with conn.transaction():
        rebuild = index.request_rebuild(conn, own_collection)
    with pytest.raises(Conflict, match="builds an index"):
        moves.reprioritise(runtime.pool, job.tenant_id, rebuild.id, Queue.CRITICAL)
