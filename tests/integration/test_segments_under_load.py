"""Writers, deleters and searchers run through seals, merges and removals; every answer is compared with the truth."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random
from threading import Event, Lock
from time import monotonic
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from dbrag.database.pool import Connection, connect
from dbrag.documents.model import Collection
from dbrag.jobs import jobs
from dbrag.jobs.model import Status
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from dbrag.vectors import build, generations, index, search
from tests.integration.stored import delete, random_vectors, statuses, store

SECONDS = 20
BATCH = 10
# Few enough that one search with the largest limit has to find all of them.
STANDING = 500


class Truth:
    """When each document came and went, by a clock that ticks with every event."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._now = 0
        self.vectors: dict[str, NDArray[np.float32]] = {}
        self.came: dict[str, int] = {}
        self.going: dict[str, int] = {}
        self.gone: dict[str, int] = {}

    def tick(self, book: dict[str, int] | None = None, *names: str) -> int:
        with self._lock:
            self._now += 1
            if book is not None:
                book.update(dict.fromkeys(names, self._now))
            return self._now

    def standing(self) -> list[str]:
        with self._lock:
            return [name for name in self.came if name not in self.going]

    def wrong(self, hits: list[str], wanted: str | None, began: int, ended: int) -> str | None:
        """What is wrong with an answer asked for at `began` and there at `ended`; `wanted`: only that must be in it."""
        if twice := [name for name, count in Counter(hits).items() if count > 1]:
            return f"found twice: {twice}"
        with self._lock:
            if ghosts := [name for name in hits if self.gone.get(name, ended) < began]:
                return f"found after they were deleted: {ghosts}"
            must = {
                name
                for name, since in self.came.items()
                if since < began and self.going.get(name, ended + 1) > ended and wanted in (None, name)
            }
        missing = must - set(hits)
        return f"not found: {sorted(missing)} of {len(must)}" if missing else None


class Load:
    """What runs at once, until `stop`; a mistake stops all of it."""

    def __init__(self, runtime: Runtime, collection: Collection) -> None:
        self.settings: Settings = runtime.settings
        self.runtime, self.collection = runtime, collection
        self.truth, self.stop = Truth(), Event()
        self.answers = 0

    def run(self, work: Callable[[Connection, int], None], part: int) -> None:
        """Calls `work(conn, turn)` again and again."""
        deadline = monotonic() + SECONDS
        try:
            with connect(self.settings, autocommit=True) as conn:
                turn = part * 1_000_000
                while not self.stop.is_set() and monotonic() < deadline:
                    work(conn, turn)
                    turn += 1
        except BaseException:
            self.stop.set()
            raise

    def write(self, conn: Connection, turn: int) -> None:
        if len(self.truth.standing()) > STANDING:
            return
        names = [f"{turn}-{row}" for row in range(BATCH)]
        vectors = random_vectors(BATCH, self.collection.dimensions, seed=turn)
        self.truth.vectors |= dict(zip(names, vectors, strict=True))
        store(conn, self.collection, names, vectors)
        self.truth.tick(self.truth.came, *names)
        with conn.transaction():
            index.seal_when_full(conn, generations.of_collection(conn, self.collection.id), self.settings)

    def delete(self, conn: Connection, turn: int) -> None:
        standing = self.truth.standing()
        if len(standing) < STANDING // 2:
            return
        names = Random(turn).sample(standing, BATCH)
        self.truth.tick(self.truth.going, *names)
        with conn.transaction():
            for name in names:
                delete(conn, self.collection, name)
        self.truth.tick(self.truth.gone, *names)

    def search(self, conn: Connection, turn: int) -> None:
        """In turn: all documents, which is answered exactly, and the nearest to one of them, by the graphs."""
        standing = self.truth.standing()
        if not standing:
            return
        wanted = Random(turn).choice(standing) if turn % 4 else None
        query = self.truth.vectors[wanted or standing[0]]
        began = self.truth.tick()
        with conn.transaction():
            hits = search.nearest(conn, self.collection, query, 20 if wanted else 1000, None).hits
        wrong = self.truth.wrong([hit.external_id for hit in hits], wanted, began, self.truth.tick())
        assert wrong is None, f"{wrong}; segments {statuses(conn, self.collection)}"
        self.answers += 1

    def upkeep(self, conn: Connection, _turn: int) -> None:
        with conn.transaction():
            index.request_due_rebuilds(conn, self.settings)
        for job_id in _rebuilds(conn, self.collection, finished=False):
            build.rebuild_index(self.runtime, job_id)


def _rebuilds(conn: Connection, collection: Collection, *, finished: bool) -> list[UUID]:
    rows = conn.execute(
        "SELECT id FROM jobs WHERE kind = 'rebuild_index' AND collection_id = %s AND (finished_at IS NOT NULL) = %s",
        [collection.id, finished],
    )
    return [row[0] for row in rows]


@pytest.fixture
def brisk(runtime: Runtime) -> Runtime:
    """Segments are full, rotten and merged within seconds."""
    changes = {"segment_rows": 100, "dead_rows_share": 0.1, "segment_rows_at_most": 2000}
    return replace(runtime, settings=runtime.settings.model_copy(update=changes))


def test_every_answer_is_right_through_seals_merges_and_removals(
    conn: Connection, own_collection: Collection, brisk: Runtime
) -> None:
    load = Load(brisk, own_collection)
    crew = [load.write, load.write, load.delete, load.search, load.search, load.upkeep]
    with ThreadPoolExecutor(len(crew)) as pool:
        for running in [pool.submit(load.run, work, part) for part, work in enumerate(crew)]:
            running.result()
    ended = [jobs.get(conn, own_collection.tenant_id, id_) for id_ in _rebuilds(conn, own_collection, finished=True)]
    assert {job.status for job in ended} == {Status.SUCCEEDED}
    done = Counter[str]()
    for job in ended:
        done.update({key: count for key, count in (job.result or {}).items() if isinstance(count, int)})
    assert load.answers > 50
    assert done["built"] >= 4
    assert done["merged"] >= 1
    assert done["dropped"] >= 4
