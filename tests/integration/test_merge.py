"""Merging and rewriting segments: what becomes of them, and of what killed workers leave."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from psycopg.sql import SQL, Identifier

from dbrag.database.pool import Connection, connect
from dbrag.documents.model import Collection
from dbrag.errors import Transient
from dbrag.jobs import claims, jobs
from dbrag.jobs.model import Kind, Queue, Status
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from dbrag.vectors import build, generations, hnsw, index, merge, removal, search, segments
from dbrag.vectors.model import Generation
from dbrag.vectors.tables import generation_table, segment_table
from tests.integration.stored import delete, fill_segments, random_vectors, statuses, store


@pytest.fixture
def generation(conn: Connection, own_collection: Collection) -> Generation:
    return generations.of_collection(conn, own_collection.id)


@pytest.fixture
def builder(settings: Settings) -> Iterator[Connection]:
    with hnsw.session(settings) as conn:
        yield conn


def rebuild(conn: Connection, runtime: Runtime, collection: Collection, *, seal: bool = False) -> UUID:
    with conn.transaction():
        job_id = jobs.create(
            conn,
            collection.tenant_id,
            Kind.REBUILD_INDEX,
            Queue.LOW,
            collection.id,
            generation_id=collection.generation_id,
            seal=seal,
        )
    build.rebuild_index(runtime, job_id)
    return job_id


def tables(conn: Connection, collection: Collection) -> set[str]:
    name = f"generation_{collection.generation_id}_segment_%"
    return {row[0] for row in conn.execute("SELECT relname FROM pg_class WHERE relname LIKE %s", [name])}


def found(conn: Connection, collection: Collection, limit: int = 1000) -> list[str]:
    query = random_vectors(1, collection.dimensions, seed=99)[0]
    with conn.transaction():
        return [hit.external_id for hit in search.nearest(conn, collection, query, limit, None).hits]


def no_fence(conn: Connection) -> None:
    pass


def test_four_sealed_segments_are_indexed_and_become_one(
    conn: Connection, own_collection: Collection, runtime: Runtime
) -> None:
    fill_segments(conn, own_collection, [60, 50, 40, 30])
    before = found(conn, own_collection)
    job = jobs.get(conn, own_collection.tenant_id, rebuild(conn, runtime, own_collection))
    assert (job.status, job.total, job.completed) == (Status.SUCCEEDED, 5, 5)
    assert job.result
    assert job.result | {"built": 4, "merged": 1, "rewritten": 0, "dropped": 4, "warnings": []} == job.result
    assert statuses(conn, own_collection) == [("indexed", 180)]
    assert found(conn, own_collection) == before
    assert len(before) == 180
    [(name,)] = conn.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass",
        [f"generation_{own_collection.generation_id}"],
    ).fetchall()
    indexes = {row[0] for row in conn.execute("SELECT indexdef FROM pg_indexes WHERE tablename = %s", [name])}
    assert sum("hnsw" in index_ for index_ in indexes) == 1
    assert sum("UNIQUE" in index_ for index_ in indexes) == 1
    assert tables(conn, own_collection) == {
        name,
        *(t for t in tables(conn, own_collection) if t.startswith(f"{name}_")),
    }


def test_a_segment_with_too_many_dead_rows_is_rewritten(
    conn: Connection, own_collection: Collection, runtime: Runtime
) -> None:
    fill_segments(conn, own_collection, [50])
    rebuild(conn, runtime, own_collection)
    for row in range(10):
        delete(conn, own_collection, f"0-0-{row}")
    segment = Identifier(f"generation_{own_collection.generation_id}_segment_{_only_segment(conn, own_collection)}")
    conn.execute(SQL("ANALYZE {}").format(segment))
    with conn.transaction():
        assert index.request_due_rebuilds(conn, runtime.settings) >= 1
        [(job_id,)] = conn.execute(
            "SELECT id FROM jobs WHERE kind = 'rebuild_index' AND finished_at IS NULL AND collection_id = %s",
            [own_collection.id],
        ).fetchall()
    build.rebuild_index(runtime, job_id)
    result = jobs.get(conn, own_collection.tenant_id, job_id).result
    assert result
    assert (result["built"], result["merged"], result["rewritten"]) == (0, 0, 1)
    assert statuses(conn, own_collection) == [("indexed", 40)]
    with conn.transaction():
        index.request_due_rebuilds(conn, runtime.settings)
    assert not _standing(conn, own_collection)


def _only_segment(conn: Connection, collection: Collection) -> int:
    [(id_,)] = conn.execute("SELECT id FROM segments WHERE generation_id = %s", [collection.generation_id]).fetchall()
    return id_


def _standing(conn: Connection, collection: Collection) -> list[UUID]:
    rows = conn.execute("SELECT id FROM jobs WHERE finished_at IS NULL AND collection_id = %s", [collection.id])
    return [row[0] for row in rows]


def test_rows_deleted_while_they_are_copied_are_not_found_again(
    conn: Connection, own_collection: Collection, generation: Generation, builder: Connection
) -> None:
    fill_segments(conn, own_collection, [20])
    old = _only_segment(conn, own_collection)
    hnsw.build_in_place(builder, generation, old)
    new = merge.begin(builder, generation, [old])
    merge.fill(builder, generation, new, [old])
    delete(conn, own_collection, "0-0-3")
    hnsw.build_apart(builder, generation, new)
    segments.attach(builder, generation.id, new)
    delete(conn, own_collection, "0-0-4")
    assert len(found(conn, own_collection)) == len(set(found(conn, own_collection))) == 18
    merge.swap(builder, generation, new, [old], no_fence)
    delete(conn, own_collection, "0-0-5")
    assert statuses(conn, own_collection) == [("retired", 17), ("indexed", 17)]
    assert conn.execute("SELECT rows FROM segments WHERE id = %s", [new]).fetchone() == (19,)
    assert len(found(conn, own_collection)) == 17
    assert removal.drop_retired(builder, generation.id) == 1
    assert set(found(conn, own_collection)) == {f"0-0-{row}" for row in range(20)} - {"0-0-3", "0-0-4", "0-0-5"}


def test_both_copies_count_once_for_who_looks_for_vectors(
    conn: Connection, own_collection: Collection, generation: Generation, builder: Connection
) -> None:
    fill_segments(conn, own_collection, [20])
    old = _only_segment(conn, own_collection)
    hnsw.build_in_place(builder, generation, old)
    new = merge.begin(builder, generation, [old])
    merge.fill(builder, generation, new, [old])
    segments.attach(builder, generation.id, new)
    chunks = conn.execute(
        "SELECT hash, version_id FROM chunks WHERE collection_id = %s", [own_collection.id]
    ).fetchall()
    with conn.transaction():
        assert len(segments.stored(conn, generation, [row[0] for row in chunks])) == 20
        assert segments.missing(conn, generation.id, [row[1] for row in chunks]) == []


@pytest.mark.parametrize("killed_after", ["begun", "filled", "indexed", "attached", "swapped", "detached"])
def test_what_a_killed_merge_left_is_completed_or_removed(
    conn: Connection,
    own_collection: Collection,
    generation: Generation,
    runtime: Runtime,
    settings: Settings,
    killed_after: str,
) -> None:
    fill_segments(conn, own_collection, [20, 20, 20, 20])
    before = found(conn, own_collection)
    with hnsw.session(settings) as builder:
        old = [row[0] for row in conn.execute("SELECT id FROM segments WHERE generation_id = %s", [generation.id])]
        for segment_id in old:
            hnsw.build_in_place(builder, generation, segment_id)
        new = merge.begin(builder, generation, old)
        table, first = generation_table(generation.id), segment_table(generation.id, old[0])
        steps = {
            "filled": lambda: merge.fill(builder, generation, new, old),
            "indexed": lambda: hnsw.build_apart(builder, generation, new),
            "attached": lambda: segments.attach(builder, generation.id, new),
            "swapped": lambda: merge.swap(builder, generation, new, old, no_fence),
            "detached": lambda: builder.execute(
                SQL("ALTER TABLE {} DETACH PARTITION {} CONCURRENTLY").format(table, first)
            ),
        }
        for name, step in steps.items():
            if killed_after == "begun":
                break
            step()
            if name == killed_after:
                break
    with conn.transaction():
        index.request_due_rebuilds(conn, settings)
    [job_id] = _standing(conn, own_collection) or [rebuild(conn, runtime, own_collection)]
    build.rebuild_index(runtime, job_id)
    assert jobs.get(conn, own_collection.tenant_id, job_id).status is Status.SUCCEEDED
    [(status, rows)] = statuses(conn, own_collection)
    assert (status, rows) == ("indexed", 80)
    assert found(conn, own_collection) == before
    resumed = killed_after in ("attached", "swapped", "detached")
    assert (_only_segment(conn, own_collection) == new) is resumed


def test_an_interrupted_detaching_is_finished(
    conn: Connection, own_collection: Collection, generation: Generation, settings: Settings, builder: Connection
) -> None:
    fill_segments(conn, own_collection, [20])
    old = _only_segment(conn, own_collection)
    hnsw.build_in_place(builder, generation, old)
    with connect(settings) as reader:
        reader.execute(SQL("SELECT count(*) FROM {}").format(generation_table(generation.id)))
        with pytest.raises(Transient, match=str(reader.info.backend_pid)):
            removal.wait_for_older(builder, 0.2)
        reader.rollback()
        merge.merge(builder, generation, [old], no_fence)
        reader.execute(SQL("SELECT count(*) FROM {}").format(generation_table(generation.id)))
        assert removal.drop_retired(builder, generation.id, 0.2) == 0
        with pytest.raises(Exception, match="statement timeout"):
            removal.drop(builder, generation.id, old, 0.2)
        assert conn.execute("SELECT inhdetachpending FROM pg_inherits WHERE inhdetachpending").fetchall() == [(True,)]
        assert len(found(conn, own_collection)) == 20
        reader.rollback()
    assert removal.drop_retired(builder, generation.id) == 1
    assert statuses(conn, own_collection) == [("indexed", 20)]


def test_a_merge_that_waits_for_an_old_transaction_is_completed_by_the_next_attempt(
    conn: Connection, own_collection: Collection, generation: Generation, settings: Settings, builder: Connection
) -> None:
    fill_segments(conn, own_collection, [20])
    old = _only_segment(conn, own_collection)
    hnsw.build_in_place(builder, generation, old)
    with connect(settings) as reader, ThreadPoolExecutor(1) as pool:
        reader.execute("SELECT 1")
        merging = pool.submit(merge.merge, builder, generation, [old], no_fence)
        while not merge.unfinished(conn, generation.id) or not merge.unfinished(conn, generation.id)[0].complete:
            pass
        store(conn, own_collection, ["meanwhile"], random_vectors(1, 8, seed=5))
        delete(conn, own_collection, "0-0-7")
        assert len(found(conn, own_collection)) == 20
        assert not merging.done()
        reader.rollback()
        merging.result(timeout=30)
    assert len(found(conn, own_collection)) == 20


def test_another_build_is_not_waited_for(
    conn: Connection, own_collection: Collection, builder: Connection, settings: Settings
) -> None:
    with hnsw.session(settings) as other, other.transaction():
        other.execute("SELECT 1")
        removal.wait_for_older(builder, 5)


def test_who_has_lost_the_claim_swaps_nothing(
    conn: Connection, own_collection: Collection, generation: Generation, builder: Connection, settings: Settings
) -> None:
    fill_segments(conn, own_collection, [20])
    old = _only_segment(conn, own_collection)
    hnsw.build_in_place(builder, generation, old)

    def fence(conn: Connection) -> None:
        if conn.info.transaction_status != conn.info.transaction_status.IDLE:
            raise claims.ClaimLost

    with pytest.raises(claims.ClaimLost):
        merge.merge(builder, generation, [old], fence)
    assert statuses(conn, own_collection) == [("indexed", 20), ("building", 20)]
    assert len(found(conn, own_collection)) == 20


def test_tables_of_merges_whose_collection_is_gone_are_dropped(
    conn: Connection, own_collection: Collection, generation: Generation, builder: Connection
) -> None:
    fill_segments(conn, own_collection, [20])
    old = _only_segment(conn, own_collection)
    new = merge.begin(builder, generation, [old])
    with conn.transaction():
        assert removal.drop_orphans(conn) == 0
    conn.execute("DELETE FROM segments WHERE id = %s", [new])
    with conn.transaction():
        assert removal.drop_orphans(conn) == 1
    assert statuses(conn, own_collection) == [("sealed", 20)]
