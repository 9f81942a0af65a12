"""Segments: sealed without a wait, bounded while they have no index, and searched together."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from psycopg.sql import SQL

from dbrag.database.pool import Connection, connect
from dbrag.documents.accept import accept
from dbrag.documents.model import Collection, Submission
from dbrag.errors import Transient
from dbrag.jobs import claims, jobs, waits
from dbrag.jobs.model import Kind, Queue, Status
from dbrag.jobs.relay import Relay
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from dbrag.vectors import generations, hnsw, index, segments
from dbrag.vectors.model import Generation
from dbrag.vectors.parameter import as_parameter
from dbrag.vectors.search import SQL as SEARCH
from dbrag.vectors.search import set_search
from dbrag.vectors.tables import generation_table
from tests.integration.stored import fill_segments, random_vectors, statuses, store


@pytest.fixture
def generation(conn: Connection, own_collection: Collection) -> Generation:
    return generations.of_collection(conn, own_collection.id)


def test_a_segment_is_sealed_at_its_size_and_the_next_one_takes_over(
    conn: Connection, own_collection: Collection, generation: Generation, settings: Settings
) -> None:
    small = settings.model_copy(update={"segment_rows": 100})
    for part in range(5):
        store(conn, own_collection, [f"{part}-{n}" for n in range(40)], random_vectors(40, 8, part))
        with conn.transaction():
            assert index.seal_when_full(conn, generation, small) is (part == 2)
    assert statuses(conn, own_collection) == [("sealed", 120), ("fresh", 80)]
    assert conn.execute(
        "SELECT rows FROM segments WHERE generation_id = %s AND status = 'sealed'", [generation.id]
    ).fetchall() == [(120,)]


def test_sealing_waits_for_no_writer_and_no_writer_for_it(
    conn: Connection, own_collection: Collection, generation: Generation, settings: Settings
) -> None:
    store(conn, own_collection, ["first"], random_vectors(1, 8))
    with connect(settings) as writing, connect(settings) as sealing, connect(settings) as late:
        for each in (writing, sealing, late, conn):
            each.execute("SET lock_timeout = '50ms'")
            each.commit()
        segments.write(writing, generation, [-1], random_vectors(1, 8))
        assert segments.seal(sealing, generation.id)
        segments.write(late, generation, [-2], random_vectors(1, 8))  # the seal has not been committed
        late.commit()
        sealing.commit()
        with pytest.raises(Transient, match="sealed"):
            segments.write(late, generation, [-3], random_vectors(1, 8))
        late.rollback()
        store(conn, own_collection, ["next"], random_vectors(1, 8))
        with pytest.raises(Exception, match="lock timeout"), conn.transaction():
            segments.wait_for_writers(conn, _ids(conn, generation, "sealed"))
        writing.commit()
        segments.wait_for_writers(conn, _ids(conn, generation, "sealed"))
    assert statuses(conn, own_collection) == [("sealed", 3), ("fresh", 1)]


def _ids(conn: Connection, generation: Generation, status: str) -> list[int]:
    rows = conn.execute("SELECT id FROM segments WHERE generation_id = %s AND status = %s", [generation.id, status])
    return [row[0] for row in rows]


def test_many_writers_and_sealers_lose_nothing(
    conn: Connection, own_collection: Collection, generation: Generation, settings: Settings
) -> None:
    small = settings.model_copy(update={"segment_rows": 100})

    def write(part: int) -> int:
        sealed = 0
        with connect(settings, autocommit=True) as mine:
            for n in range(20):
                store(mine, own_collection, [f"{part}-{n}-{i}" for i in range(10)], random_vectors(10, 8, part))
                with mine.transaction():
                    sealed += index.seal_when_full(mine, generation, small)
        return sealed

    with ThreadPoolExecutor(4) as pool:
        sealed = sum(pool.map(write, range(4)))
    found = statuses(conn, own_collection)
    assert sum(rows for _, rows in found) == 800
    assert sealed == [status for status, _ in found].count("sealed") >= 5
    assert all(rows >= 100 for status, rows in found if status == "sealed")


def test_an_old_segment_is_sealed_however_small_but_not_empty(
    conn: Connection, own_collection: Collection, generation: Generation, settings: Settings
) -> None:
    segments.ensure_fresh(conn, generation.id)
    old = "UPDATE segments SET created_at = now() - interval '2 hours' WHERE generation_id = %s"
    conn.execute(old, [generation.id])
    index.seal_old(conn, settings)
    assert statuses(conn, own_collection) == [("fresh", 0)]
    store(conn, own_collection, ["a"], random_vectors(1, 8))
    index.seal_old(conn, settings)
    assert statuses(conn, own_collection) == [("sealed", 1)]
    store(conn, own_collection, ["b"], random_vectors(1, 8))
    index.seal_old(conn, settings)
    assert statuses(conn, own_collection) == [("sealed", 1), ("fresh", 1)]


def embedding_job(conn: Connection, collection: Collection, settings: Settings, kind: Kind) -> UUID:
    """A job whose texts wait for their vectors."""
    with conn.transaction():
        job_id = accept(conn, collection, kind, Queue.LOW, [Submission("d", text="A text.")]).id
    claim = claims.take(conn, job_id, settings)
    assert claim
    claims.release(conn, claim)
    return job_id


def look(conn: Connection, settings: Settings) -> None:
    """What the relay does in each pass."""
    waits.end_for_index(conn, settings)
    waits.hold_for_index(conn, settings)


@pytest.mark.parametrize("kind", [Kind.INGEST_DOCUMENT, Kind.BATCH_EMBED])
def test_jobs_are_held_while_too_many_vectors_have_no_index(
    conn: Connection,
    own_collection: Collection,
    generation: Generation,
    runtime: Runtime,
    settings: Settings,
    kind: Kind,
) -> None:
    bounded = settings.model_copy(update={"unindexed_rows": 50})
    relay = Relay(runtime.pool, runtime.broker, bounded)
    job_id = embedding_job(conn, own_collection, settings, kind)
    fill_segments(conn, own_collection, [50])
    assert generation.id not in index.overdue(conn, bounded)
    look(conn, bounded)
    assert jobs.get(conn, own_collection.tenant_id, job_id).status is Status.RUNNING
    fill_segments(conn, own_collection, [1], seed=1)
    assert generation.id in index.overdue(conn, bounded)
    look(conn, bounded)
    held = jobs.get(conn, own_collection.tenant_id, job_id)
    assert (held.status, held.reason_code) == (Status.HELD, "indexing")
    assert "DBRAG_UNINDEXED_ROWS" in str(held.reason_detail)
    look(conn, bounded)
    with hnsw.session(settings) as builder:
        for segment_id in _ids(conn, generation, "sealed"):
            hnsw.build_in_place(builder, generation, segment_id)
    look(conn, bounded)
    assert jobs.get(conn, own_collection.tenant_id, job_id).status is Status.RUNNING
    with conn.transaction():
        jobs.cancel(conn, own_collection.tenant_id, job_id)
    relay.end_cancelled()


def test_jobs_that_wait_for_something_else_go_on_doing_so(
    conn: Connection, own_collection: Collection, runtime: Runtime, settings: Settings
) -> None:
    job_id = embedding_job(conn, own_collection, settings, Kind.INGEST_DOCUMENT)
    conn.execute("UPDATE jobs SET status = 'held', reason_code = 'rate_limited' WHERE id = %s", [job_id])
    look(conn, settings)
    assert jobs.get(conn, own_collection.tenant_id, job_id).status is Status.HELD
    with conn.transaction():
        jobs.cancel(conn, own_collection.tenant_id, job_id)
    Relay(runtime.pool, runtime.broker, settings).end_cancelled()


def scans(conn: Connection, collection: Collection, query: SQL, limit: int) -> dict[str, dict[str, Any]]:
    """How a search reads each segment that it reads: by the name of its table, a node of the plan that was run."""
    names = {"table": generation_table(collection.generation_id), "type": SQL("halfvec(8)")}
    parameters = {
        "vector": as_parameter(random_vectors(1, 8, seed=99)[0], collection.storage),
        "filter": None,
        "limit": limit,
        "candidates": limit,
        "generation_id": collection.generation_id,
        "found": 0,
    }
    with conn.transaction():
        parameters["segment_ids"] = set_search(conn, collection.generation_id, 100)
        [(plan,)] = conn.execute(SQL("EXPLAIN (ANALYZE, FORMAT JSON) ") + query.format(**names), parameters).fetchall()
    nodes = list(_nodes(plan[0]["Plan"]))
    return {name: node for node in nodes if (name := node.get("Relation Name", "")).startswith("generation_")}


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


def test_one_query_walks_the_graphs_and_scans_what_has_none(
    conn: Connection, own_collection: Collection, generation: Generation, settings: Settings
) -> None:
    fill_segments(conn, own_collection, [2500, 2500])
    indexed = _ids(conn, generation, "sealed")
    with hnsw.session(settings) as builder:
        for segment_id in indexed:
            hnsw.build_in_place(builder, generation, segment_id)
    store(conn, own_collection, [f"fresh-{n}" for n in range(200)], random_vectors(200, 8, seed=1))
    [fresh] = _ids(conn, generation, "fresh")
    conn.execute("ANALYZE")
    read = scans(conn, own_collection, SEARCH.search, 10)
    names = {id_: f"generation_{generation.id}_segment_{id_}" for id_ in [*indexed, fresh]}
    assert read.keys() == set(names.values())
    for id_ in indexed:
        assert (read[names[id_]]["Node Type"], read[names[id_]]["Index Name"]) == ("Index Scan", f"{names[id_]}_hnsw")
    assert read[names[fresh]]["Node Type"] == "Seq Scan"


def test_segments_that_are_not_searched_are_not_read(
    conn: Connection, own_collection: Collection, generation: Generation
) -> None:
    fill_segments(conn, own_collection, [30, 20])
    hidden, seen = _ids(conn, generation, "sealed")
    conn.execute("UPDATE segments SET status = 'retired', retired_at = now() WHERE id = %s", [hidden])
    assert scans(conn, own_collection, SEARCH.search, 100).keys() == {f"generation_{generation.id}_segment_{seen}"}
