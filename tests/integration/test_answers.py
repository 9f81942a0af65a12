"""The cache of search answers: kept until something is written, by nobody else found, and never missed."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from uuid import UUID, uuid4

import numpy as np
import pytest
from redis import Redis
from search_corpus import add_documents, add_vectors, clustered

from dbrag.database.pool import Connection
from dbrag.documents import collections, documents
from dbrag.documents.model import Collection, CollectionWish, Storage
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from dbrag.vectors.answers import AnswerCache, key
from dbrag.vectors.model import AnsweredBy, Hit, Question
from dbrag.vectors.search import search
from tests.provider import vector_of

VECTOR = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
QUESTION = Question(None, VECTOR, 10, None)


def again(conn: Connection, collection: Collection) -> Collection:
    """As the next request looks it up."""
    return collections.get(conn, collection.tenant_id, collection.name)


@pytest.fixture
def filled(conn: Connection, own_collection: Collection) -> Collection:
    chunk_ids = add_documents(conn, own_collection, [{"n": n} for n in range(20)])
    add_vectors(conn, own_collection, chunk_ids, clustered(20, 8))
    return again(conn, own_collection)


def test_the_second_search_touches_no_vector(runtime: Runtime, conn: Connection, filled: Collection) -> None:
    first = search(runtime, filled, QUESTION)
    conn.execute("DELETE FROM segments WHERE generation_id = %s", [filled.generation_id])
    assert search(runtime, filled, replace(QUESTION, limit=9)).hits == []
    second = search(runtime, filled, QUESTION)
    assert (first.by, second.by) == (AnsweredBy.INDEX, AnsweredBy.CACHED)
    assert second.hits == first.hits
    assert len(first.hits) == 10


def test_what_is_written_is_found_at_once(runtime: Runtime, conn: Connection, filled: Collection) -> None:
    search(runtime, filled, QUESTION)
    [chunk_id] = add_documents(conn, filled, [{"new": True}])
    add_vectors(conn, filled, [chunk_id], np.array([VECTOR], np.float32))
    answer = search(runtime, again(conn, filled), QUESTION)
    assert (answer.hits[0].chunk_id, answer.by) == (chunk_id, AnsweredBy.INDEX)


def test_what_is_deleted_is_gone_at_once(runtime: Runtime, conn: Connection, filled: Collection) -> None:
    best = search(runtime, filled, QUESTION).hits[0]
    with conn.transaction():
        documents.delete(conn, filled, best.external_id)
    answer = search(runtime, again(conn, filled), QUESTION)
    assert best.chunk_id not in {hit.chunk_id for hit in answer.hits}


def test_a_query_is_embedded_once(runtime: Runtime, conn: Connection, filled: Collection) -> None:
    question = Question("What is asked twice?", None, 3, None)
    first = search(runtime, filled, question)
    other = search(runtime, filled, replace(question, limit=4))  # no answer is kept, but the vector is
    assert (first.by, other.by) == (AnsweredBy.INDEX, AnsweredBy.INDEX)
    spent = conn.execute("SELECT count(*) FROM usage WHERE tenant_id = %s", [filled.tenant_id]).fetchone()
    assert spent == (1,)


def test_a_query_for_single_precision_is_not_rounded(
    runtime: Runtime, conn: Connection, tenant_id: UUID, settings: Settings
) -> None:
    wish = CollectionWish(dimensions=8, storage=Storage.VECTOR)
    collection = collections.put(conn, tenant_id, "single", wish, settings)[0]
    text = f"Unheard of {uuid4()}"
    add_vectors(conn, collection, add_documents(conn, collection, [{}]), vector_of(text, 8)[None])
    scores = [search(runtime, collection, Question(text, None, limit, None)).hits[0].score for limit in (1, 2)]
    assert scores == pytest.approx([1, 1], abs=1e-6)


HIT = Hit("é/1", 7, "Text, “quoted”.", 0, 15, 0.123456789, {"a": [1, {"b": None}]})
OTHERS = [
    {"tenant_id": uuid4()},
    {"id": 2**40},
    {"generation_id": 2**40},
    {"version": 2**40},
]


@pytest.fixture
def answers(settings: Settings) -> Iterator[AnswerCache]:
    assert settings.cache_url is not None
    with closing(AnswerCache(settings.cache_url.get_secret_value(), ttl_s=100)) as answers:
        yield answers


def test_an_answer_comes_back_as_it_was(answers: AnswerCache, own_collection: Collection) -> None:
    assert answers.get(own_collection, QUESTION) is None
    for hits in ([], [HIT], [HIT] * 1000):
        answers.put(own_collection, QUESTION, hits)
        assert answers.get(own_collection, QUESTION) == hits


@pytest.mark.parametrize("change", OTHERS)
def test_it_is_nobody_elses(answers: AnswerCache, own_collection: Collection, change: dict[str, object]) -> None:
    answers.put(own_collection, QUESTION, [HIT])
    assert answers.get(replace(own_collection, **change), QUESTION) is None


def test_it_answers_the_same_question_only(answers: AnswerCache, own_collection: Collection) -> None:
    question = Question("a", None, 10, {"x": 1, "y": [1, 2]})
    answers.put(own_collection, question, [HIT])
    assert answers.get(own_collection, replace(question, metadata_filter={"y": [1, 2], "x": 1})) == [HIT]
    for other in (
        replace(question, query="b"),
        replace(question, limit=11),
        replace(question, metadata_filter=None),
        replace(question, metadata_filter={"x": 1, "y": [2, 1]}),
        replace(question, metadata_filter={"x": "1", "y": [1, 2]}),
        QUESTION,
    ):
        assert answers.get(own_collection, other) is None


def test_it_expires_and_names_nothing(answers: AnswerCache, own_collection: Collection, settings: Settings) -> None:
    assert settings.cache_url is not None
    answers.put(own_collection, QUESTION, [HIT])
    with Redis.from_url(settings.cache_url.get_secret_value()) as redis:
        assert 0 < redis.ttl(key(own_collection, QUESTION)) <= 100
    assert len(key(own_collection, QUESTION)) == 35


def test_without_redis_searches_are_answered_all_the_same(runtime: Runtime, filled: Collection) -> None:
    with closing(AnswerCache("redis://127.0.0.1:9", ttl_s=100)) as nowhere:
        for answers in (nowhere, None):
            away = replace(runtime, answers=answers, cache=None)
            for _ in range(2):
                assert len(search(away, filled, QUESTION).hits) == 10
