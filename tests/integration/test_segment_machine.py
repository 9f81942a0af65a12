"""Segments and generations under any sequence of writes, deletes, builds, merges and changes of settings."""

from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.sql import SQL
from uuid_utils.compat import uuid7

from dbrag.accounts import keys
from dbrag.database.pool import connect
from dbrag.documents import collections, documents, endings, ingest
from dbrag.documents.accept import accept
from dbrag.documents.model import CollectionWish, Submission
from dbrag.embedding import write
from dbrag.embedding.claim import claim
from dbrag.embedding.model import Batch, Found
from dbrag.errors import Conflict, NotFound
from dbrag.jobs import claims, jobs
from dbrag.jobs.model import Kind, Queue
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from dbrag.vectors import build, clearing, generations, hnsw, merge, removal, replacement, search, segments
from dbrag.vectors.model import Generation
from dbrag.vectors.tables import generation_table
from tests import invariants
from tests.integration.machines import bounds, own_database
from tests.provider.vectors import vector_of

NAMES = st.sampled_from("abcdef")
WISHES = st.sampled_from([{"dimensions": 8}, {"dimensions": 8, "m": 8}, {"dimensions": 4}])
TABLES = r"""
SELECT s.id, s.status, c.oid IS NOT NULL AS exists, coalesce(c.relispartition, false) AS attached,
       EXISTS (SELECT FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am a ON a.oid = i.relam
               WHERE x.indrelid = c.oid AND a.amname = 'hnsw' AND x.indisvalid) AS indexed
FROM segments s JOIN generations g ON g.id = s.generation_id
LEFT JOIN pg_class c ON c.oid = to_regclass(format('generation_%%s_segment_%%s', s.generation_id, s.id))
WHERE g.collection_id = %s
"""
ORPHANS = r"""
SELECT c.relname FROM pg_class c JOIN generations g ON c.relname LIKE format('generation\_%%s\_segment\_%%%%', g.id)
WHERE g.collection_id = %s AND c.relkind = 'r'
AND NOT EXISTS (SELECT FROM segments s WHERE c.relname = format('generation_%%s_segment_%%s', g.id, s.id))
"""

GONE = SQL("""
SELECT e.chunk_id FROM {table} e JOIN segments s ON s.id = e.segment_id AND s.status IN ('fresh', 'sealed', 'indexed')
WHERE NOT EXISTS (SELECT FROM chunks c WHERE c.id = e.chunk_id)
""")
# A segment that is being made, what it replaces, and how many steps towards that are done.
Merging = tuple[int, list[int], int]


def no_fence(_conn: object) -> None:
    """Whoever merges here has the claim."""


class Segments(RuleBasedStateMachine):
    """One collection of six documents at most; what a search finds is compared after every step."""

    runtime: Runtime

    @initialize()
    def begin(self) -> None:
        self.settings = self.runtime.settings
        self.opened = connect(self.settings, autocommit=True)
        self.conn = self.opened.__enter__()
        self.session = hnsw.session(self.settings)
        self.builder = self.session.__enter__()
        self.tenant_id = keys.authenticate(self.conn, keys.create(self.conn, str(uuid7()), "test", [])).tenant_id
        wish = CollectionWish(dimensions=8, max_tokens=20, overlap_tokens=0)
        self.collection = collections.put(self.conn, self.tenant_id, "own", wish, self.settings)[0]
        self.live: dict[str, str] = {}  # what is live or will be once all texts have their vectors
        self.seen: dict[str, str] = {}
        self.count = 0
        self.merging: Merging | None = None

    @property
    def generation(self) -> Generation:
        return generations.of_collection(self.conn, self.collection.id)

    # Documents come, change and go

    @rule(names=st.sets(NAMES, min_size=1), at_once=st.booleans())
    def submit(self, names: set[str], at_once: bool) -> None:
        self.count += 1
        texts = {name: f"{name} for the time number {self.count}" for name in sorted(names)}
        with self.conn.transaction():
            items = [Submission(name, text=text) for name, text in texts.items()]
            job = accept(self.conn, self.collection, Kind.INGEST_DOCUMENT, Queue.DEFAULT, items)
        ingest.ingest(self.runtime, job.id)
        self.live |= texts
        if at_once:
            self.embed()

    @rule()
    def embed(self) -> None:
        while batch := self._claim():
            write.write(self.runtime, batch, Found({t.hash: vector_of(t.text, batch.dimensions) for t in batch.texts}))

    def _claim(self) -> Batch | None:
        with self.conn.transaction():
            batch = claim(self.conn, self.settings)
        return batch if batch and batch.texts else None

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        with suppress(NotFound), self.conn.transaction():
            documents.delete(self.conn, self.collection, name)
        self.live.pop(name, None)
        self.seen.pop(name, None)

    # Segments are sealed, built and merged; whoever does it may stop after each step, and another goes on

    @rule()
    def seal(self) -> None:
        segments.seal(self.conn, self.generation.id)

    @rule()
    def build_in_place(self) -> None:
        for segment_id in self._segments("sealed"):
            segments.wait_for_writers(self.builder, [segment_id])
            hnsw.build_in_place(self.builder, self.generation, segment_id)

    def _segments(self, *status: str) -> list[int]:
        wanted = "SELECT id FROM segments WHERE generation_id = %s AND status = ANY(%s) ORDER BY id"
        return [row[0] for row in self.conn.execute(wanted, [self.generation.id, list(status)])]

    @precondition(lambda self: not self.merging)
    @rule()
    def begin_merge(self) -> None:
        replaces = self._segments("indexed")
        if replaces and not self._segments("building"):
            self.merging = (merge.begin(self.builder, self.generation, replaces), replaces, 0)

    @precondition(lambda self: self.merging)
    @rule(steps=st.integers(1, 4))
    def go_on_merging(self, steps: int) -> None:
        for _ in range(steps):
            if not self.merging or self.merging[0] not in self._segments("building"):
                self.merging = None
                return
            self.merging = self._merge_step(self.generation, *self.merging)

    def _merge_step(self, generation: Generation, new: int, replaces: list[int], done: int) -> Merging | None:
        if done == 0:
            merge.fill(self.builder, generation, new, replaces)
        elif done == 1:
            hnsw.build_apart(self.builder, generation, new)
        elif done == 2:
            segments.attach(self.builder, generation.id, new)
        else:
            merge.swap(self.builder, generation, new, replaces, no_fence)
            return None
        return new, replaces, done + 1

    @rule(names=st.sets(NAMES, min_size=1), steps=st.integers(0, 3), deletes=st.booleans())
    def merge_meanwhile(self, names: set[str], steps: int, deletes: bool) -> None:
        """Documents go or are replaced between two steps of a merge."""
        self.embed()
        self.seal()
        self.build_in_place()
        if not self.merging:
            self.begin_merge()
        if self.merging and steps:
            self.go_on_merging(steps)
        if deletes:
            for name in sorted(names):
                self.delete(name)
        else:
            self.submit(names, at_once=True)
        if self.merging:
            self.go_on_merging(4)

    @rule()
    def drop_retired(self) -> None:
        removal.drop_retired(self.builder, self.generation.id)

    @rule()
    def tend(self) -> None:
        """The real job, after whoever was merging has been killed."""
        self.merging = None
        generation = self.generation
        with self.conn.transaction():
            job_id = jobs.create(
                self.conn,
                self.tenant_id,
                Kind.REBUILD_INDEX,
                Queue.LOW,
                self.collection.id,
                generation_id=generation.id,
            )
        build.rebuild_index(self.runtime, job_id)
        assert jobs.get(self.conn, self.tenant_id, job_id).status == "succeeded"
        assert not self._segments("building", "retired", "sealed")

    # Settings change

    @rule(wish=WISHES)
    def change(self, wish: dict[str, int]) -> None:
        with suppress(Conflict), self.conn.transaction():
            collections.put(self.conn, self.tenant_id, "own", CollectionWish(**wish), self.settings)

    @rule()
    def roll_back(self) -> None:
        with suppress(Conflict), self.conn.transaction():
            replacement.roll_back(self.conn, self.tenant_id, self.collection.id, self.settings)

    @rule(embeds=st.booleans())
    def go_on_filling(self, embeds: bool) -> None:
        for job_id in self._filling():
            self.conn.execute("UPDATE jobs SET reason_until = now() WHERE id = %s AND reason_until > now()", [job_id])
            before = self.generation.id
            build.rebuild_index(self.runtime, job_id)
            if self.generation.id != before:
                self.merging = None
        if embeds:
            self.embed()

    def _filling(self) -> list[UUID]:
        wanted = "SELECT id FROM jobs WHERE collection_id = %s AND kind = 'rebuild_index' AND finished_at IS NULL"
        return [row[0] for row in self.conn.execute(wanted, [self.collection.id])]

    @rule()
    def kill_who_fills(self) -> None:
        """Its claim ends, and is anybody's."""
        for job_id in self._filling():
            if claims.take(self.conn, job_id, self.settings):
                self.conn.execute("UPDATE jobs SET lease_until = now() - interval '1 s' WHERE id = %s", [job_id])
                self.conn.execute(
                    "UPDATE jobs SET status = 'retrying', reason_code = 'worker_lost', claim_id = NULL, "
                    "lease_until = NULL, attempt = 1 WHERE id = %s",
                    [job_id],
                )

    @rule()
    def cancel_change(self) -> None:
        for job_id in self._filling():
            with self.conn.transaction():
                jobs.cancel(self.conn, self.tenant_id, job_id)
            with self.conn.transaction():
                endings.cancel(self.conn, job_id)

    @rule(expire=st.booleans())
    def clear(self, expire: bool) -> None:
        if expire:
            self.conn.execute("UPDATE generations SET kept_until = now() - interval '1 s' WHERE status = 'kept'")
        clearing.clear_generations(self.runtime.pool, self.settings)

    # What is true after each step

    @precondition(lambda self: hasattr(self, "live"))
    @invariant()
    def a_search_finds_each_live_chunk_once(self) -> None:
        collection = collections.by_id(self.conn, self.collection.id)
        assert collection
        live = self._live()
        query = np.ones(collection.dimensions, np.float32)
        with self.conn.transaction():
            hits = search.nearest(self.conn, collection, query, 100, None).hits
        assert sorted((hit.external_id, hit.text) for hit in hits) == sorted(live.items())
        for hit in hits:
            cosine = float(vector_of(hit.text, collection.dimensions) @ query) / collection.dimensions**0.5
            assert abs(hit.score - cosine) < 1e-2, f"not the vector of {hit.text!r}"
        assert self.seen.keys() <= live.keys(), "a live document is gone"
        assert live.items() <= self.live.items() | self._older(live).items()
        self.seen = live

    def _live(self) -> dict[str, str]:
        wanted = (
            "SELECT d.external_id, v.text FROM documents d JOIN document_versions v ON v.document_id = d.id "
            "WHERE d.collection_id = %s AND v.status = 'live'"
        )
        return dict(self.conn.execute(wanted, [self.collection.id]).fetchall())

    def _older(self, live: dict[str, str]) -> dict[str, str]:
        """What is live while a newer version waits."""
        return {name: text for name, text in live.items() if text != self.live.get(name)}

    @precondition(lambda self: hasattr(self, "live"))
    @invariant()
    def segments_are_what_their_tables_are(self) -> None:
        for _, status, exists, attached, indexed in self.conn.execute(TABLES, [self.collection.id]):
            assert exists, "a segment has no table"
            assert attached or status in ("building", "retired")
            assert indexed or status != "indexed"
        assert self.conn.execute(ORPHANS, [self.collection.id]).fetchall() == [], "a table has no segment"
        for generation in generations.all_of_collections(self.conn, [self.collection.id]):
            if segments.has_table(self.conn, generation.id):
                gone = GONE.format(table=generation_table(generation.id))
                assert self.conn.execute(gone).fetchall() == [], "a vector belongs to no chunk"

    def teardown(self) -> None:
        if not hasattr(self, "live"):
            return
        try:
            self._drain()
        finally:
            self.session.__exit__(None, None, None)
            self.opened.__exit__(None, None, None)

    def _drain(self) -> None:
        for _ in range(20):
            if not self._filling():
                break
            self.go_on_filling(embeds=True)
        self.clear(expire=False)
        self.embed()
        self.tend()
        self.a_search_finds_each_live_chunk_once()
        assert self._live() == self.live
        self.segments_are_what_their_tables_are()
        for sentence, question in (invariants.JOBS | invariants.STORED).items():
            assert self.conn.execute(question).fetchall() == [], sentence


@pytest.fixture(scope="module")
def machine(settings: Settings) -> Iterator[type[Segments]]:
    with own_database(settings, "segments_machine") as runtime:
        yield type("OwnSegments", (Segments,), {"runtime": runtime})


def test_a_search_finds_every_live_chunk_once_whatever_is_done_to_segments_and_generations(
    machine: type[Segments],
) -> None:
    run_state_machine_as_test(machine, settings=bounds(max_examples=12, steps=30))
