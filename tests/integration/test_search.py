"""Searches of a collection with several indexed segments, one that is sealed and a fresh one, compared with numpy."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from search_corpus import add_documents, add_vectors, clustered, index_fresh_segment
from uuid_utils.compat import uuid7

from dbrag.accounts import keys
from dbrag.database.pool import Connection, connect
from dbrag.documents import collections
from dbrag.documents.model import Collection, CollectionWish, Storage
from dbrag.settings import Settings
from dbrag.vectors.model import AnsweredBy, Hit
from dbrag.vectors.parameter import as_parameter
from dbrag.vectors.search import SQL, GenerationGone, nearest, set_search
from dbrag.vectors.tables import column_type, generation_table

DIMENSIONS = 24
SEGMENT = 1000
COUNT = 7 * SEGMENT
METADATA = [{"n": n, "even": n % 2 == 0, "hundredth": n % 100 == 3, "thousandth": n % 1000 == 3} for n in range(COUNT)]


@dataclass
class Corpus:
    """What is stored: `vectors` (n, dimensions) belong to `chunk_ids` and, one each, to METADATA."""

    collection: Collection
    chunk_ids: list[int]
    vectors: NDArray[np.float32]

    def best(self, question: NDArray[np.float32], kept: list[int], limit: int) -> dict[int, float]:
        """The right answer: scores by chunk."""
        scores = self.vectors[kept] @ question / np.linalg.norm(self.vectors[kept], axis=1) / np.linalg.norm(question)
        order = np.argsort(-scores)[:limit]
        return {self.chunk_ids[kept[place]]: float(scores[place]) for place in order}


def new_collection(conn: Connection, settings: Settings, **wish: Any) -> Collection:
    tenant_id = keys.authenticate(conn, keys.create(conn, str(uuid7()), "test", [])).tenant_id
    wish = {"dimensions": DIMENSIONS} | wish
    return collections.put(conn, tenant_id, "searched", CollectionWish(**wish), settings)[0]


@pytest.fixture(scope="module", params=list(Storage))
def corpus(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Corpus]:
    with connect(settings, autocommit=True) as conn:
        collection = new_collection(conn, settings, storage=request.param)
        vectors = clustered(COUNT, DIMENSIONS)
        chunk_ids = add_documents(conn, collection, METADATA)
        for start in range(0, COUNT, SEGMENT):
            add_vectors(conn, collection, chunk_ids[start : start + SEGMENT], vectors[start : start + SEGMENT])
            if start + SEGMENT < COUNT:
                index_fresh_segment(conn, collection)
        conn.execute("ANALYZE document_versions, chunks, documents")
        yield Corpus(collection, chunk_ids, vectors.astype(np.float16).astype(np.float32))


@pytest.fixture
def always_by_graph(conn: Connection) -> Connection:
    """So few rows would be scanned."""
    conn.execute("SET enable_seqscan = off")
    return conn


def ask(
    conn: Connection, corpus: Corpus, question: NDArray[np.float32], limit: int, wanted: dict[str, Any] | None = None
) -> tuple[list[Hit], AnsweredBy]:
    with conn.transaction():
        answer = nearest(conn, corpus.collection, question, limit, wanted)
    return answer.hits, answer.by


@pytest.mark.parametrize("limit", [1, 10, 100, 1000])
@pytest.mark.parametrize("wanted", [None, {"even": True}, {"hundredth": True}, {"thousandth": True}, {"even": 7}])
def test_a_filter_gives_as_many_hits_as_match_and_the_right_ones(
    always_by_graph: Connection, corpus: Corpus, wanted: dict[str, Any] | None, limit: int
) -> None:
    kept = [n for n, metadata in enumerate(METADATA) if (wanted or {}).items() <= metadata.items()]
    for question in clustered(5, DIMENSIONS, seed=8):
        hits, _ = ask(always_by_graph, corpus, question, limit, wanted)
        right = corpus.best(question, kept, limit)
        assert len(hits) == min(limit, len(kept))
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        all_scores = corpus.best(question, kept, COUNT)
        for hit in hits:
            assert hit.score == pytest.approx(all_scores[hit.chunk_id], abs=2e-3)
            assert (wanted or {}).items() <= hit.metadata.items()
        assert len({hit.chunk_id for hit in hits} & right.keys()) >= 0.9 * len(right)


def test_a_narrow_filter_is_answered_exactly(conn: Connection, corpus: Corpus) -> None:
    kept = [n for n, metadata in enumerate(METADATA) if metadata["thousandth"]]
    for question in clustered(20, DIMENSIONS, seed=9):
        hits, _ = ask(conn, corpus, question, 5, {"thousandth": True})
        assert [hit.chunk_id for hit in hits] == list(corpus.best(question, kept, 5))


def test_metadata_match_by_containment(conn: Connection, corpus: Corpus) -> None:
    hits, _ = ask(conn, corpus, corpus.vectors[0], 10, {"n": 4711, "even": False})
    assert [hit.metadata["n"] for hit in hits] == [4711]


def plan(conn: Connection, corpus: Corpus, query: str = "search", wanted: str | None = None, found: int = 0) -> str:
    collection = corpus.collection
    names = {
        "table": generation_table(collection.generation_id),
        "type": column_type(collection.storage, collection.dimensions),
    }
    explained = b"EXPLAIN (ANALYZE, COSTS OFF) " + getattr(SQL, query).format(**names).as_bytes(conn)
    with conn.transaction():
        segment_ids = set_search(conn, collection.generation_id, 100)
        rows = conn.execute(
            explained,
            {
                "vector": as_parameter(corpus.vectors[0], collection.storage),
                "filter": wanted,
                "limit": 10,
                "candidates": 40,
                "found": found,
                "segment_ids": segment_ids,
                "generation_id": collection.generation_id,
            },
        )
        return "\n".join(row[0] for row in rows)


def partitions(conn: Connection, corpus: Corpus, *statuses: str) -> list[str]:
    rows = conn.execute(
        "SELECT format('generation_%%s_segment_%%s', generation_id, id) FROM segments "
        "WHERE generation_id = %s AND status = ANY (%s) ORDER BY id",
        [corpus.collection.generation_id, list(statuses)],
    )
    return [row[0] for row in rows]


def test_indexed_segments_are_searched_by_their_graphs_and_the_fresh_one_exactly(
    always_by_graph: Connection, corpus: Corpus
) -> None:
    lines = plan(always_by_graph, corpus)
    assert "Merge Append" in lines
    for name in partitions(always_by_graph, corpus, "indexed"):
        assert f"Index Scan using {name}_embedding_idx" in lines
    [fresh] = partitions(always_by_graph, corpus, "fresh")
    assert f" on {fresh} " in lines
    assert f"{fresh}_embedding_idx" not in lines


def test_segments_that_are_not_live_are_neither_scanned_nor_found(always_by_graph: Connection, corpus: Corpus) -> None:
    conn = always_by_graph
    hidden = partitions(conn, corpus, "indexed")[:2]
    ids = [int(name.rsplit("_", 1)[1]) for name in hidden]
    conn.execute("UPDATE segments SET status = 'retired', retired_at = now() WHERE id = %s", [ids[0]])
    conn.execute("UPDATE segments SET status = 'building', replaces = '{}' WHERE id = %s", [ids[1]])
    try:
        lines = plan(conn, corpus)
        assert not any(name in lines for name in hidden)
        hits, _ = ask(conn, corpus, corpus.vectors[5], 1000)
        assert len(hits) == 1000
        assert {hit.metadata["n"] // SEGMENT for hit in hits} <= set(range(2, 7))
    finally:
        conn.execute("UPDATE segments SET status = 'indexed', retired_at = NULL WHERE id = ANY (%s)", [ids])
    assert ask(conn, corpus, corpus.vectors[5], 1)[0][0].metadata["n"] == 5


def test_segments_that_were_replaced_in_between_are_noticed(conn: Connection, corpus: Corpus) -> None:
    collection = corpus.collection
    names = {
        "table": generation_table(collection.generation_id),
        "type": column_type(collection.storage, collection.dimensions),
    }
    parameters = {
        "vector": as_parameter(corpus.vectors[0], collection.storage),
        "filter": None,
        "limit": 10,
        "candidates": 40,
        "generation_id": collection.generation_id,
    }
    with conn.transaction():
        live = set_search(conn, collection.generation_id, 100)
        for given, count in ((live, 10), (live[1:], 0), ([*live, 2**30], 10), ([], 0)):
            rows = conn.execute(SQL.search.format(**names), parameters | {"segment_ids": given}).fetchall()
            assert len(rows) == count


def test_a_narrow_filter_starts_from_the_versions_that_match(conn: Connection, corpus: Corpus) -> None:
    lines = plan(conn, corpus, "search_filtered", '{"n": 4711}')
    assert "Index Scan on document_versions_metadata" in lines
    assert "Order By" not in lines


def test_the_exact_query_is_spared_where_it_can_find_no_more(conn: Connection, corpus: Corpus) -> None:
    assert "never executed" not in next(iter(plan(conn, corpus, "search_exactly", None, 5).splitlines()))
    lines = plan(conn, corpus, "search_exactly", None, COUNT)
    for name in partitions(conn, corpus, "indexed", "fresh"):
        assert all("never executed" in line for line in lines.splitlines() if f" on {name} e_" in line)


def test_where_the_graph_gives_up_the_answer_is_exact(conn: Connection, settings: Settings) -> None:
    collection = new_collection(conn, settings)
    vectors = clustered(3000, DIMENSIONS)
    # The ten that match are the farthest from the question.
    question = vectors[0]
    farthest = set(np.argsort(vectors @ question)[:10].tolist())
    chunk_ids = add_documents(conn, collection, [{"kept": n in farthest or n % 3 == 9} for n in range(3000)])
    add_vectors(conn, collection, chunk_ids, vectors)
    index_fresh_segment(conn, collection)
    conn.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
    conn.execute("SET hnsw.max_scan_tuples = 100")
    with conn.transaction():
        answer = nearest(conn, collection, question, 10, {"kept": True})
    assert {hit.chunk_id for hit in answer.hits} == {chunk_ids[n] for n in farthest}
    assert answer.by is AnsweredBy.EXACT


def test_a_collection_without_a_vector_is_empty(conn: Connection, own_collection: Collection) -> None:
    with conn.transaction():
        assert nearest(conn, own_collection, np.ones(8), 10, None).hits == []


def test_fewer_rows_than_asked_for_are_all_found(conn: Connection, settings: Settings) -> None:
    collection = new_collection(conn, settings)
    vectors = clustered(30, DIMENSIONS)
    chunk_ids = add_documents(conn, collection, [{}] * 30)
    for start in (0, 10, 20):
        add_vectors(conn, collection, chunk_ids[start : start + 10], vectors[start : start + 10])
        with conn.transaction():
            answer = nearest(conn, collection, vectors[0], 1000, None)
        assert {hit.chunk_id for hit in answer.hits} == set(chunk_ids[: start + 10])
        assert answer.by is AnsweredBy.INDEX
        index_fresh_segment(conn, collection)


def test_a_generation_that_was_dropped_is_told_from_an_empty_one(conn: Connection, settings: Settings) -> None:
    collection = new_collection(conn, settings)
    add_vectors(conn, collection, add_documents(conn, collection, [{}]), clustered(1, DIMENSIONS))
    conn.execute(f"DROP TABLE generation_{collection.generation_id}")
    with pytest.raises(GenerationGone), conn.transaction():
        nearest(conn, collection, np.ones(DIMENSIONS), 10, None)
    conn.execute("DELETE FROM segments WHERE generation_id = %s", [collection.generation_id])
    with conn.transaction():
        assert nearest(conn, collection, np.ones(DIMENSIONS), 10, None).hits == []
