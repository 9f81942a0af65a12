"""Documents that are replaced, retried and deleted while texts of theirs are on their way."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from uuid import UUID

import pytest
from psycopg.sql import SQL

from dbrag.database.pool import Connection, connect
from dbrag.documents import documents, ingest, versions
from dbrag.documents.accept import accept
from dbrag.documents.model import Collection, DocumentStatus, Submission
from dbrag.embedding import claim, embed, write
from dbrag.embedding.model import Batch, Found
from dbrag.errors import Conflict
from dbrag.jobs import jobs
from dbrag.jobs.model import Job, Kind, Queue, Status
from dbrag.runtime import Runtime
from dbrag.vectors.tables import generation_table
from tests.provider.vectors import vector_of


@pytest.fixture
def text(tenant_id: UUID) -> str:
    """Six chunks that no other test has: a text that is on its way elsewhere waits for that answer."""
    return "\n\n".join(f"{n}: {tenant_id.hex[-8:]} says {n * 7919}." for n in range(6))


def submit(conn: Connection, collection: Collection, text: str, name: str = "d") -> Job:
    with conn.transaction():
        return accept(conn, collection, Kind.INGEST_DOCUMENT, Queue.CRITICAL, [Submission(name, text=text)])


def claimed(runtime: Runtime, texts: int) -> Batch:
    """A request's worth of texts, in the hands of a worker."""
    small = runtime.settings.model_copy(update={"request_inputs": texts})
    with runtime.pool.connection() as conn:
        batch = claim.claim(conn, small)
    assert batch
    return batch


def answered(batch: Batch) -> Found:
    return Found(vectors={one.hash: vector_of(one.text, batch.dimensions) for one in batch.texts})


def refused(batch: Batch) -> Found:
    return Found(errors={one.hash: {"code": "refused", "detail": "no"} for one in batch.texts})


def check(conn: Connection, collection: Collection, name: str = "d") -> None:
    """Every chunk of the live version has one vector."""
    rows = conn.execute(
        SQL(
            "SELECT c.id, count(e.chunk_id) FROM documents d JOIN document_versions v ON v.document_id = d.id "
            "AND v.status = 'live' JOIN chunks c ON c.version_id = v.id LEFT JOIN {} e ON e.chunk_id = c.id "
            "WHERE d.collection_id = %s AND d.external_id = %s GROUP BY c.id"
        ).format(generation_table(collection.generation_id)),
        [collection.id, name],
    ).fetchall()
    assert rows
    assert {count for _, count in rows} == {1}


def test_a_retry_while_another_request_of_the_same_version_is_out_loses_no_vector(
    conn: Connection, own_collection: Collection, runtime: Runtime, text: str
) -> None:
    job = submit(conn, own_collection, text)
    ingest.ingest(runtime, job.id)
    first, second = claimed(runtime, 3), claimed(runtime, 3)
    write.write(runtime, first, refused(first))
    assert jobs.get(conn, own_collection.tenant_id, job.id).status is Status.FAILED
    with conn.transaction():
        jobs.retry(conn, own_collection.tenant_id, job.id)
    write.write(runtime, second, answered(second))
    assert jobs.get(conn, own_collection.tenant_id, job.id).status is Status.QUEUED
    ingest.ingest(runtime, job.id)
    embed.embed_pending(runtime)
    assert jobs.get(conn, own_collection.tenant_id, job.id).status is Status.SUCCEEDED
    check(conn, own_collection)


def test_a_retry_that_begins_before_the_other_request_is_answered_works_too(
    conn: Connection, own_collection: Collection, runtime: Runtime, text: str
) -> None:
    job = submit(conn, own_collection, text)
    ingest.ingest(runtime, job.id)
    first, second = claimed(runtime, 3), claimed(runtime, 3)
    write.write(runtime, first, refused(first))
    with conn.transaction():
        jobs.retry(conn, own_collection.tenant_id, job.id)
    ingest.ingest(runtime, job.id)
    write.write(runtime, second, answered(second))
    embed.embed_pending(runtime)
    assert jobs.get(conn, own_collection.tenant_id, job.id).status is Status.SUCCEEDED
    check(conn, own_collection)


@pytest.mark.parametrize("deleted", [False, True])
def test_a_retry_beside_a_newer_version_or_a_deletion_strands_no_job(
    conn: Connection, own_collection: Collection, runtime: Runtime, text: str, deleted: bool
) -> None:
    old = submit(conn, own_collection, text)
    ingest.ingest(runtime, old.id)
    batch = claimed(runtime, 2048)
    write.write(runtime, batch, refused(batch))
    new = submit(conn, own_collection, f"{text}\n\nAnd more.")
    ingest.ingest(runtime, new.id)
    batch = claimed(runtime, 2048)
    waiting = Event()

    def retry() -> bool:
        with connect(runtime.settings) as mine:
            waiting.set()
            try:
                jobs.retry(mine, own_collection.tenant_id, old.id)
            except Conflict:
                mine.rollback()
                return False
            return True

    with ThreadPoolExecutor(1) as pool:
        with conn.transaction():
            versions.lock(conn, [batch.texts[0].version_id])
            retrying = pool.submit(retry)
            assert waiting.wait(5)
            if deleted:
                documents.delete(conn, own_collection, "d")
            else:
                conn.execute("DELETE FROM pending WHERE claim_id = %s", [batch.claim_id])
                versions.complete(conn, [batch.texts[0].version_id])
        retried = retrying.result()
    if retried:
        ingest.ingest(runtime, old.id)
        embed.embed_pending(runtime)
    assert jobs.get(conn, own_collection.tenant_id, old.id).status.is_final


def test_the_newest_version_wins_whichever_is_embedded_first(
    conn: Connection, own_collection: Collection, runtime: Runtime, text: str
) -> None:
    changed = [f"{text}\n\nAdded for the {n}th time." for n in range(3)]
    accepted = [submit(conn, own_collection, version) for version in changed]
    for job in reversed(accepted):
        ingest.ingest(runtime, job.id)
        embed.embed_pending(runtime)
    document = documents.get(conn, own_collection, "d")
    assert (document.status, document.text) == (DocumentStatus.LIVE, changed[-1])
    ended = [jobs.get(conn, own_collection.tenant_id, job.id) for job in accepted]
    assert [(job.status, job.completed, job.skipped) for job in ended] == [
        (Status.SUCCEEDED, 0, 1),
        (Status.SUCCEEDED, 0, 1),
        (Status.SUCCEEDED, 1, 0),
    ]
    check(conn, own_collection)


def test_chunks_kept_by_two_waiting_versions_go_to_the_older_and_then_to_the_newer(
    conn: Connection, own_collection: Collection, runtime: Runtime, text: str
) -> None:
    first = submit(conn, own_collection, text)
    ingest.ingest(runtime, first.id)
    embed.embed_pending(runtime)
    second = submit(conn, own_collection, f"{text}\n\nOnly in the second.")
    third = submit(conn, own_collection, f"{text}\n\nOnly in the third.")
    ingest.ingest(runtime, second.id)
    one = claimed(runtime, 1)
    ingest.ingest(runtime, third.id)
    two = claimed(runtime, 1)
    assert len(one.texts) == len(two.texts) == 1
    write.write(runtime, one, answered(one))
    check(conn, own_collection)
    write.write(runtime, two, answered(two))
    check(conn, own_collection)
    assert documents.get(conn, own_collection, "d").version == 3
    chunks = conn.execute("SELECT count(*) FROM chunks WHERE collection_id = %s", [own_collection.id])
    assert chunks.fetchone() == (documents.get(conn, own_collection, "d").chunks,)


def test_a_document_deleted_while_its_text_is_out_stays_deleted(
    conn: Connection, own_collection: Collection, runtime: Runtime, text: str
) -> None:
    job = submit(conn, own_collection, text)
    ingest.ingest(runtime, job.id)
    batch = claimed(runtime, 2048)
    with conn.transaction():
        documents.delete(conn, own_collection, "d")
    write.write(runtime, batch, answered(batch))
    ended = jobs.get(conn, own_collection.tenant_id, job.id)
    assert (ended.status, ended.skipped) == (Status.SUCCEEDED, 1)
    left = conn.execute("SELECT count(*) FROM chunks WHERE collection_id = %s", [own_collection.id])
    assert left.fetchone() == (0,)


def test_who_lost_its_texts_to_another_worker_writes_nothing(
    conn: Connection, own_collection: Collection, runtime: Runtime, text: str
) -> None:
    job = submit(conn, own_collection, text)
    ingest.ingest(runtime, job.id)
    late = claimed(runtime, 6)
    conn.execute("UPDATE pending SET claim_id = NULL, lease_until = NULL WHERE claim_id = %s", [late.claim_id])
    second = claimed(runtime, 6)
    write.write(runtime, late, refused(late))
    write.write(runtime, late, answered(late))
    assert jobs.get(conn, job.tenant_id, job.id).status is Status.RUNNING
    write.write(runtime, second, answered(second))
    assert jobs.get(conn, job.tenant_id, job.id).status is Status.SUCCEEDED
    check(conn, own_collection)


def test_a_version_of_which_a_part_is_on_its_way_does_not_go_live_when_its_job_is_cancelled(
    conn: Connection, own_collection: Collection, runtime: Runtime, text: str
) -> None:
    """Found by a soak: whoever claims the other part next drops it, and then nothing seemed to be missing."""
    job = submit(conn, own_collection, text)
    ingest.ingest(runtime, job.id)
    part = claimed(runtime, 3)
    with conn.transaction():
        jobs.cancel(conn, job.tenant_id, job.id)
    with runtime.pool.connection() as mine:
        claim.claim(mine, runtime.settings)
    write.write(runtime, part, answered(part))
    live = "SELECT id FROM document_versions WHERE job_id = %s AND status = 'live'"
    assert conn.execute(live, [job.id]).fetchall() == []
