"""Recall, measured on real graphs: good ones, bad ones, and what is kept of it."""

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from search_corpus import add_documents, add_vectors, clustered, index_fresh_segment
from structlog.testing import capture_logs

from dbrag.database.pool import Connection, connect
from dbrag.documents import collections
from dbrag.documents.model import Collection, CollectionWish, Storage
from dbrag.settings import Settings
from dbrag.vectors import generations, probes, recall
from dbrag.vectors.model import Generation, Recall

DIMENSIONS = 32


def filled(conn: Connection, collection: Collection, segments: int = 2, rows: int = 1000, **graph: int) -> Generation:
    """A generation of hard vectors, without clusters, in indexed segments and one fresh one of a tenth."""
    vectors = np.random.default_rng(5).standard_normal((segments * rows + rows // 10, DIMENSIONS)).astype(np.float32)
    chunk_ids = add_documents(conn, collection, [{}] * len(vectors))
    for start in range(0, len(vectors), rows):
        add_vectors(conn, collection, chunk_ids[start : start + rows], vectors[start : start + rows])
        if start < segments * rows:
            index_fresh_segment(conn, collection, **graph)
    return generations.of_collection(conn, collection.id)


@pytest.fixture
def collection(conn: Connection, tenant_id: UUID, settings: Settings) -> Collection:
    wish = CollectionWish(dimensions=DIMENSIONS)
    conn.execute("SET enable_seqscan = off; SET enable_sort = off")  # so few rows would be scanned
    return collections.put(conn, tenant_id, "measured", wish, settings)[0]


def test_a_good_graph_meets_the_floor(conn: Connection, collection: Collection) -> None:
    found = recall.measure(conn, filled(conn, collection), samples=20, ef_search=200, floor=0.9)
    assert found.samples == 20
    assert 0.9 <= found.recall_at_10 <= 1
    assert (found.ef_search, found.ef_search_needed, found.warning) == (200, None, None)
    assert 0 < found.p50_ms <= found.p95_ms
    assert found.exact_p50_ms > 0


def test_a_walk_that_is_too_short_is_told_how_far_it_should_go(conn: Connection, collection: Collection) -> None:
    generation = filled(conn, collection, m=6, ef_construction=12)
    found = recall.measure(conn, generation, samples=30, ef_search=12, floor=0.97)
    assert found.recall_at_10 < 0.97
    assert found.ef_search_needed in recall.LADDER
    again = recall.measure(conn, generation, samples=30, ef_search=800, floor=0.97)
    assert again.recall_at_10 > found.recall_at_10


def test_a_generation_may_be_measured_before_it_serves(conn: Connection, collection: Collection) -> None:
    generation = filled(conn, collection, segments=1)
    conn.execute("UPDATE document_versions SET status = 'failed' WHERE document_id IN "
                 "(SELECT id FROM documents WHERE collection_id = %s)", [collection.id])  # fmt: skip
    conn.execute("UPDATE generations SET status = 'building' WHERE id = %s", [generation.id])
    assert recall.measure(conn, generation, samples=5, ef_search=100, floor=0.5).recall_at_10 > 0.5


def test_single_precision_is_measured_too(conn: Connection, tenant_id: UUID, settings: Settings) -> None:
    wish = CollectionWish(dimensions=DIMENSIONS, storage=Storage.VECTOR)
    collection = collections.put(conn, tenant_id, "single", wish, settings)[0]
    assert recall.measure(conn, filled(conn, collection), samples=5, ef_search=400, floor=0.9).recall_at_10 > 0.9


def test_duplicates_are_as_good_as_each_other(conn: Connection, collection: Collection) -> None:
    vectors = np.repeat(clustered(20, DIMENSIONS), 20, axis=0)
    add_vectors(conn, collection, add_documents(conn, collection, [{}] * 400), vectors)
    index_fresh_segment(conn, collection)
    generation = generations.of_collection(conn, collection.id)
    assert recall.measure(conn, generation, samples=10, ef_search=100, floor=0.9).recall_at_10 == 1


def test_an_empty_generation_has_nothing_to_miss(conn: Connection, collection: Collection) -> None:
    found = recall.measure(conn, generations.of_collection(conn, collection.id), samples=5, ef_search=100, floor=0.9)
    assert (found.samples, found.recall_at_10, found.warning) == (0, 1, None)


def serving_and_indexed(conn: Connection) -> set[int]:
    rows = conn.execute(
        "SELECT g.id FROM generations g JOIN collections c ON c.id = g.collection_id WHERE g.status = 'serving' "
        "AND c.deleted_at IS NULL AND EXISTS (SELECT FROM segments WHERE generation_id = g.id AND status = 'indexed')"
    )
    return {row[0] for row in rows}


def test_every_index_is_probed_once_an_hour_and_warned_about(
    conn: Connection, collection: Collection, settings: Settings
) -> None:
    generation = filled(conn, collection, segments=1)
    probes.probe_due(settings)
    assert all(probes.last(conn, id_) for id_ in serving_and_indexed(conn))
    assert probes.probe_due(settings) == 0
    conn.execute(
        "UPDATE recall_probes SET at = now() - interval '61 minutes' WHERE generation_id = %s", [generation.id]
    )
    with capture_logs() as logs:
        assert probes.probe_due(settings.model_copy(update={"recall_floor": 1.1})) == 1
    [entry] = [entry for entry in logs if entry["log_level"] == "warning"]
    assert (entry["generation_id"], entry["collection_id"]) == (generation.id, collection.id)
    assert "below the floor" in entry["event"]
    last = probes.last(conn, generation.id)
    assert last is not None
    assert last.warning == entry["event"]
    summary = probes.summary(conn)
    assert summary.below >= 1
    assert summary.lowest is not None
    assert summary.lowest <= last.recall_at_10


def test_two_do_not_probe_at_the_same_time(conn: Connection, collection: Collection, settings: Settings) -> None:
    filled(conn, collection, segments=1)
    with connect(settings, autocommit=True) as other:
        assert other.execute(probes.SQL.lock_probing, {"key": probes.PROBE_LOCK}).fetchone() == (True,)
        assert probes.probe_due(settings) == 0
    assert probes.probe_due(settings) >= 1


def test_nothing_is_kept_of_a_generation_that_is_gone(conn: Connection, collection: Collection) -> None:
    generation = replace(generations.of_collection(conn, collection.id), id=2**40)
    recall.record(conn, generation, Recall(1, 100, 1.0, 0.9, None, 1.0, 1.0, 1.0))
    assert probes.last(conn, generation.id) is None
