"""The job `rebuild_index`: what it reports, and what becomes of it when its build is killed, stopped or out of room."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import UUID

import pytest
from psycopg.sql import SQL, Literal
from pydantic import SecretStr

from dbrag.database.pool import Connection
from dbrag.devstack.servers import Servers
from dbrag.documents import collections, purge
from dbrag.documents.attempt import AttemptFailed
from dbrag.documents.model import Collection, CollectionWish
from dbrag.jobs import claims, jobs
from dbrag.jobs.model import Job, Status
from dbrag.jobs.progress import progress
from dbrag.jobs.relay import Relay
from dbrag.runtime import Runtime, open_runtime
from dbrag.settings import Settings
from dbrag.vectors import build, generations, hnsw, index, search
from dbrag.vectors.tend import Tended, tend
from tests.integration.stored import fill_segments, random_vectors, statuses, store

ROOT = Path(__file__).parents[2]
# Long enough to be interrupted: some seconds of building.
SLOW_ROWS = 2000


@pytest.fixture
def slow_collection(conn: Connection, tenant_id: UUID, settings: Settings) -> Collection:
    """A collection whose index takes seconds to build."""
    wish = CollectionWish(dimensions=256, max_tokens=20, overlap_tokens=0)
    collection = collections.put(conn, tenant_id, "slow", wish, settings)[0]
    conn.execute("UPDATE generations SET m = 32, ef_construction = 500 WHERE id = %s", [collection.generation_id])
    fill_segments(conn, collection, [SLOW_ROWS])
    return collection


def request(conn: Connection, collection: Collection) -> UUID:
    with conn.transaction():
        return index.request_rebuild(conn, collection).id


def job(conn: Connection, collection: Collection, job_id: UUID) -> Job:
    return jobs.get(conn, collection.tenant_id, job_id)


def count_found(conn: Connection, collection: Collection, limit: int = 10) -> int:
    query = random_vectors(1, collection.dimensions, seed=99)[0]
    with conn.transaction():
        return len(search.nearest(conn, collection, query, limit, None).hits)


def until(condition: Callable[[], Any], patience_s: float = 30) -> Any:
    deadline = monotonic() + patience_s
    while not (value := condition()):
        assert monotonic() < deadline, "waited in vain"
        sleep(0.02)
    return value


def building(conn: Connection, collection: Collection) -> int | None:
    """The process that is well into building an index of the collection."""
    row = conn.execute(
        "SELECT p.pid FROM pg_stat_progress_create_index p WHERE blocks_done > 2 AND EXISTS (SELECT FROM segments s "
        "WHERE s.generation_id = %s AND p.relid = to_regclass(format('generation_%%s_segment_%%s', %s::int, s.id)))",
        [collection.generation_id, collection.generation_id],
    ).fetchone()
    return row and row[0]


def nothing_is_left(conn: Connection, collection: Collection) -> None:
    """Each table has its segment's row, each index is whole, nothing is half detached."""
    prefix = f"generation_{collection.generation_id}_segment_"
    tables = conn.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE %s", [f"{prefix}%"]
    ).fetchall()
    ids = conn.execute("SELECT id FROM segments WHERE generation_id = %s", [collection.generation_id]).fetchall()
    assert {name for (name,) in tables} == {f"{prefix}{id_}" for (id_,) in ids}
    assert conn.execute("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid").fetchall() == []
    assert conn.execute("SELECT inhrelid::regclass FROM pg_inherits WHERE inhdetachpending").fetchall() == []
    assert {status for status, _ in statuses(conn, collection)} <= {"fresh", "sealed", "indexed"}


def test_a_rebuild_seals_what_was_fresh_once(
    conn: Connection, own_collection: Collection, runtime: Runtime, settings: Settings
) -> None:
    store(conn, own_collection, ["a"], random_vectors(1, 8))
    job_id = request(conn, own_collection)
    build.rebuild_index(runtime, job_id)
    ended = job(conn, own_collection, job_id)
    assert (ended.status, ended.total, ended.completed) == (Status.SUCCEEDED, 1, 1)
    assert statuses(conn, own_collection) == [("indexed", 1)]
    store(conn, own_collection, ["b"], random_vectors(1, 8))
    again = request(conn, own_collection)
    with conn.transaction():
        claim = claims.take(conn, again, settings)
        assert claim
        conn.execute(build.SQL.take_seal, {"id": claim.id, "claim_id": claim.claim_id})
        claims.hand_back(conn, claim)
    build.rebuild_index(runtime, again)
    assert statuses(conn, own_collection) == [("indexed", 1), ("fresh", 1)]


def test_another_job_can_have_a_generation_tended_under_its_own_claim(
    conn: Connection, own_collection: Collection, runtime: Runtime, settings: Settings
) -> None:
    fill_segments(conn, own_collection, [20, 20, 20, 20, 20])
    generation = generations.of_collection(conn, own_collection.id)
    claim = claims.take(conn, request(conn, own_collection), settings)
    assert claim
    tended = tend(runtime, claim, generation)
    assert (tended.built, tended.merged, tended.rewritten, tended.dropped) == (5, 1, 0, 4)
    assert tend(runtime, claim, generation) == Tended()
    fill_segments(conn, own_collection, [20], seed=1)
    conn.execute("UPDATE jobs SET status = 'cancelling', claim_id = NULL, lease_until = NULL WHERE id = %s", [claim.id])
    with pytest.raises(claims.ClaimLost):
        tend(runtime, claim, generation)
    assert statuses(conn, own_collection)[-1] == ("sealed", 20)


def test_a_graph_that_does_not_fit_into_memory_is_warned_of(
    conn: Connection, own_collection: Collection, runtime: Runtime
) -> None:
    fill_segments(conn, own_collection, [100])
    conn.execute("UPDATE segments SET rows = 10000000 WHERE generation_id = %s", [own_collection.generation_id])
    job_id = request(conn, own_collection)
    build.rebuild_index(runtime, job_id)
    result = job(conn, own_collection, job_id).result
    assert result
    [warning] = result["warnings"]
    assert "DBRAG_MAINTENANCE_WORK_MEM_MB to at least" in warning
    assert result["built"] == 1


def test_percent_moves_during_one_long_build(conn: Connection, slow_collection: Collection, runtime: Runtime) -> None:
    job_id = request(conn, slow_collection)
    seen: list[float] = []
    often = replace(runtime, settings=runtime.settings.model_copy(update={"lease_s": 1}))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(build.rebuild_index, often, job_id)
        while not running.done():
            now = job(conn, slow_collection, job_id)
            if now.status is Status.RUNNING:
                seen.append(progress(now).percent)
            sleep(0.1)
    running.result()
    assert [percent for percent in seen if 0 < percent < 100]
    assert seen == sorted(seen)
    assert job(conn, slow_collection, job_id).status is Status.SUCCEEDED


def test_a_build_whose_connection_is_killed_is_tried_again_and_leaves_nothing(
    conn: Connection, slow_collection: Collection, runtime: Runtime
) -> None:
    job_id = request(conn, slow_collection)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(build.rebuild_index, runtime, job_id)
        pid = until(lambda: building(conn, slow_collection))
        conn.execute("SELECT pg_terminate_backend(%s)", [pid])
        with pytest.raises(AttemptFailed) as failed:
            running.result()
    assert failed.value.tried_again
    assert job(conn, slow_collection, job_id).status is Status.RETRYING
    assert count_found(conn, slow_collection) == 10
    conn.execute("UPDATE jobs SET reason_until = now() WHERE id = %s", [job_id])
    build.rebuild_index(runtime, job_id)
    assert job(conn, slow_collection, job_id).status is Status.SUCCEEDED
    nothing_is_left(conn, slow_collection)


WORKER = """
import sys
from uuid import UUID
from dbrag.runtime import open_runtime
from dbrag.settings import Settings
from dbrag.vectors import build
build.rebuild_index(open_runtime(Settings(lease_s=5)), UUID(sys.argv[1]))
"""


def test_a_killed_worker_leaves_nothing_that_the_next_one_does_not_find(
    conn: Connection, slow_collection: Collection, runtime: Runtime, settings: Settings, quiet_servers: Servers
) -> None:
    job_id = request(conn, slow_collection)
    env = os.environ | quiet_servers.env | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", WORKER, str(job_id)], env=env) as worker:
        until(lambda: building(conn, slow_collection))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    relay = Relay(runtime.pool, runtime.broker, settings)
    until(lambda: relay.free_expired_jobs() >= 0 and job(conn, slow_collection, job_id).status is Status.RETRYING)
    build.rebuild_index(runtime, job_id)
    ended = job(conn, slow_collection, job_id)
    assert (ended.status, ended.attempt) == (Status.SUCCEEDED, 2)
    nothing_is_left(conn, slow_collection)


def test_two_rebuilds_at_once_are_one(conn: Connection, slow_collection: Collection, runtime: Runtime) -> None:
    job_id = request(conn, slow_collection)
    assert request(conn, slow_collection) == job_id
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: build.rebuild_index(runtime, job_id), range(2)))
    assert sorted(result.get("claimed", True) for result in results) == [False, True]
    assert statuses(conn, slow_collection) == [("indexed", SLOW_ROWS)]
    nothing_is_left(conn, slow_collection)


def test_a_collection_that_is_dropped_stops_its_build_and_takes_all_tables_along(
    conn: Connection, slow_collection: Collection, runtime: Runtime, settings: Settings
) -> None:
    job_id = request(conn, slow_collection)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(build.rebuild_index, runtime, job_id)
        until(lambda: building(conn, slow_collection))
        with conn.transaction():
            collections.delete(conn, slow_collection.tenant_id, slow_collection.name)
        assert running.result(timeout=30)["status"] == "cancelling"
    Relay(runtime.pool, runtime.broker, settings).end_cancelled()
    assert job(conn, slow_collection, job_id).status is Status.CANCELLED
    purge.purge_deleted(runtime.pool)
    tables = conn.execute(
        "SELECT relname FROM pg_class WHERE relname ~ %s", [f"^generation_{slow_collection.generation_id}(_|$)"]
    ).fetchall()
    assert tables == []


def test_a_rebuild_that_failed_is_not_asked_for_again_at_once_but_by_a_user(
    conn: Connection, own_collection: Collection, settings: Settings
) -> None:
    fill_segments(conn, own_collection, [10])
    job_id = request(conn, own_collection)
    conn.execute(
        "UPDATE jobs SET status = 'failed', total = 1, failed = 1, started_at = now(), finished_at = now(), "
        "publish_at = NULL WHERE id = %s",
        [job_id],
    )
    standing = "SELECT count(*) FROM jobs WHERE collection_id = %s AND finished_at IS NULL"
    with conn.transaction():
        index.request_due_rebuilds(conn, settings)
    assert conn.execute(standing, [own_collection.id]).fetchone() == (0,)
    conn.execute("UPDATE jobs SET finished_at = now() - interval '11 minutes' WHERE id = %s", [job_id])
    with conn.transaction():
        index.request_due_rebuilds(conn, settings)
    assert conn.execute(standing, [own_collection.id]).fetchone() == (1,)
    conn.execute("DELETE FROM jobs WHERE collection_id = %s AND finished_at IS NULL", [own_collection.id])
    conn.execute("UPDATE jobs SET finished_at = now() WHERE id = %s", [job_id])
    assert request(conn, own_collection) != job_id


@pytest.fixture
def tiny_disk(conn: Connection, settings: Settings) -> Iterator[Runtime]:
    """What a worker opens, with room for no index: what it makes goes to a file system of 512 KiB."""
    [(data,)] = conn.execute("SHOW data_directory").fetchall()
    place = Path(data).parent / "tiny"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", place], check=False).returncode:
        place.rmdir()
        pytest.skip("only root may mount a file system that is soon full")
    try:
        (place / "space").mkdir()
        os.chown(place / "space", Path(data).stat().st_uid, Path(data).stat().st_gid)
        conn.execute(SQL("CREATE TABLESPACE tiny LOCATION {}").format(Literal(str(place / "space"))))
        url = f"{settings.database_url.get_secret_value()}?options=-c%20default_tablespace%3Dtiny"
        runtime = open_runtime(settings.model_copy(update={"database_url": SecretStr(url)}))
        yield runtime
        runtime.close()
        conn.execute("DROP TABLESPACE tiny")  # refused where something is left in it
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)
        place.rmdir()


@pytest.mark.parametrize("sealed", [[1500], [400, 400, 400, 400]])
def test_a_full_disk_fails_the_job_clearly_and_the_old_index_serves(
    conn: Connection,
    tenant_id: UUID,
    settings: Settings,
    tiny_disk: Runtime,
    runtime: Runtime,
    sealed: list[int],
) -> None:
    wish = CollectionWish(dimensions=256, max_tokens=20, overlap_tokens=0)
    collection = collections.put(conn, tenant_id, "large", wish, settings)[0]
    fill_segments(conn, collection, sealed)
    generation = generations.of_collection(conn, collection.id)
    if len(sealed) > 1:  # then it is the merge that finds no room
        with hnsw.session(settings) as builder:
            for (id_,) in conn.execute("SELECT id FROM segments WHERE generation_id = %s", [generation.id]).fetchall():
                hnsw.build_in_place(builder, generation, id_)
    before = statuses(conn, collection)
    job_id = request(conn, collection)
    with pytest.raises(AttemptFailed):
        build.rebuild_index(tiny_disk, job_id)
    failed = job(conn, collection, job_id)
    assert failed.error
    assert (failed.status, failed.error["code"]) == (Status.FAILED, "disk_full")
    assert "make room" in failed.error["detail"]
    assert statuses(conn, collection) == before
    assert count_found(conn, collection) == 10
    nothing_is_left(conn, collection)
    again = request(conn, collection)
    build.rebuild_index(runtime, again)
    assert statuses(conn, collection) == [("indexed", sum(sealed))]
