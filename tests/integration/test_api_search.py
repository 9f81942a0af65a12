"""Searching over HTTP: questions that cannot be answered, answers that are kept, what an operator sees."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from api_client import Call, body, pointers
from pydantic import SecretStr
from search_corpus import add_documents, add_vectors, clustered, index_fresh_segment

from api.app import create_app
from dbrag.database.pool import Connection, connect
from dbrag.documents import collections
from dbrag.documents.model import Collection
from dbrag.settings import Settings
from dbrag.vectors import probes

pytest_plugins = ["api_fixtures"]


@pytest.mark.parametrize(
    ("question", "pointer"),
    [
        ({}, ""),
        ({"query": "a", "vector": [1, 0, 0, 0]}, ""),
        ({"query": " "}, "/query"),
        ({"vector": [1, 0, 0]}, "/vector"),
        ({"vector": []}, "/vector"),
        ({"vector": [0, 0, 0, 0]}, "/vector"),
        ({"vector": [1e300, 0, 0, 0]}, "/vector"),
        ({"vector": [1e-30, 0, 0, 0]}, "/vector"),
        ({"vector": [10**400, 0, 0, 0]}, "/vector/0"),
        ({"vector": ["1", 0, 0, 0]}, "/vector/0"),
        ({"query": "a", "limit": 0}, "/limit"),
        ({"query": "a", "limit": 1001}, "/limit"),
        ({"query": "a", "limit": True}, "/limit"),
        ({"query": "a", "filter": []}, "/filter"),
        ({"query": "a", "mode": "magic"}, "/mode"),
    ],
)
def test_a_wrong_question_is_refused_with_its_place(
    call: Call, collection: str, question: dict[str, Any], pointer: str
) -> None:
    answer = call("POST", f"{collection}/search", json=question)
    assert answer.status_code == 422
    assert pointers(answer) == [pointer]


def test_an_empty_collection_is_searched_and_found_empty(call: Call, collection: str) -> None:
    answer = call("POST", f"{collection}/search", json={"vector": [1, 0, 0, 0], "limit": 1000, "filter": {"a": 1}})
    assert (answer.status_code, body(answer)) == (200, {"data": []})


@pytest.fixture
def api_conn(api_settings: Settings) -> Iterator[Connection]:
    with connect(api_settings, autocommit=True) as conn:
        yield conn


@pytest.fixture
def filled(api_conn: Connection, collection: str) -> Collection:
    """The collection, with an indexed segment of 200 rows."""
    row = api_conn.execute("SELECT id FROM collections WHERE name = %s", [collection.rsplit("/", 1)[1]]).fetchone()
    assert row is not None
    found = collections.by_id(api_conn, row[0])
    assert found is not None
    chunk_ids = add_documents(api_conn, found, [{"n": n} for n in range(200)])
    add_vectors(api_conn, found, chunk_ids, clustered(200, 4))
    index_fresh_segment(api_conn, found)
    return found


def hits(call: Call, path: str, **question: Any) -> list[dict[str, Any]]:
    answer = call("POST", f"{path}/search", json={"vector": [1, 0, 0, 0]} | question)
    assert answer.status_code == 200, answer.text
    return body(answer)["data"]


def samples(call: Call) -> dict[str, float]:
    """What /metrics says."""
    lines = [line.rsplit(" ", 1) for line in call("GET", "/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_a_search_asked_again_is_answered_from_the_cache_until_something_changes(
    call: Call, collection: str, filled: Collection, api_conn: Connection
) -> None:
    before = samples(call).get('dbrag_search_seconds_count{by="cached"}', 0)
    first = hits(call, collection)
    assert hits(call, collection) == first
    assert samples(call)['dbrag_search_seconds_count{by="cached"}'] == before + 1
    assert call("DELETE", f"{collection}/documents/{first[0]['external_id']}").status_code == 204
    assert first[0]["chunk_id"] not in {hit["chunk_id"] for hit in hits(call, collection)}
    [chunk_id] = add_documents(api_conn, filled, [{}])
    add_vectors(api_conn, filled, [chunk_id], np.array([[1, 0, 0, 0]], np.float32))
    assert hits(call, collection)[0]["chunk_id"] == chunk_id


def test_a_generation_replaced_in_the_middle_of_a_search_is_looked_up_again(
    call: Call, collection: str, filled: Collection, api_conn: Connection
) -> None:
    old = filled.generation_id
    with ThreadPoolExecutor(1) as pool:
        with api_conn.transaction():
            api_conn.execute("UPDATE generations SET status = 'kept', kept_until = now() WHERE id = %s", [old])
            api_conn.execute(
                "INSERT INTO generations (tenant_id, collection_id, model, dimensions, storage, status) "
                "SELECT tenant_id, collection_id, model, dimensions, storage, 'serving' FROM generations WHERE id = %s",
                [old],
            )
            api_conn.execute(f"DROP TABLE generation_{old}")
            answer = pool.submit(hits, call, collection)
            while api_conn.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone() is None:
                assert not answer.done()
        assert answer.result(30) == []


def test_a_table_that_is_missing_is_told_to_pass(
    call: Call, collection: str, filled: Collection, api_conn: Connection
) -> None:
    api_conn.execute(f"DROP TABLE generation_{filled.generation_id}")
    answer = call("POST", f"{collection}/search", json={"vector": [1, 0, 0, 0]})
    assert (answer.status_code, body(answer)["code"], body(answer)["retryable"]) == (503, "generation_gone", True)
    api_conn.execute("DELETE FROM segments WHERE generation_id = %s", [filled.generation_id])


def test_the_index_shows_its_last_recall_and_so_do_the_metrics(
    call: Call, collection: str, filled: Collection, api_settings: Settings
) -> None:
    assert body(call("GET", f"{collection}/index"))["recall"] is None
    probes.probe_due(api_settings.model_copy(update={"recall_floor": 1.1}))
    recall = body(call("GET", f"{collection}/index"))["recall"]
    assert recall.keys() == {
        "at", "samples", "recall_at_10", "floor", "ef_search", "ef_search_needed", "p50_ms", "p95_ms", "exact_p50_ms",
        "warning",
    }  # fmt: skip
    assert (recall["samples"], recall["ef_search"], recall["floor"]) == (50, 100, 1.1)
    assert "below the floor of 1.1" in recall["warning"]
    shown = samples(call)
    assert shown["dbrag_recall_probed_generations"] >= shown["dbrag_recall_below_floor"] >= 1
    assert shown["dbrag_recall_lowest"] <= recall["recall_at_10"]


def test_metrics_are_there_while_the_database_is_away(api_settings: Settings) -> None:
    nowhere = SecretStr("postgresql://127.0.0.1:9/nowhere?connect_timeout=1")
    app = create_app(api_settings.model_copy(update={"database_url": nowhere}))
    with closing(app.extensions["dbrag"]):
        answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    assert "dbrag_http_requests" in answer.text
    assert "dbrag_recall" not in answer.text
