"""The cache of vectors on a real Redis, and without one."""

import socket
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from numpy.typing import NDArray
from redis import Redis
from structlog.testing import capture_logs

from dbrag.devstack.servers import Servers
from dbrag.embedding.cache import VectorCache, key
from dbrag.embedding.texts import text_hash
from tests.provider import vector_of

MODEL = "text-embedding-3-small"
ONE, TWO, THREE = (text_hash(text) for text in ("one", "two", "three"))


@pytest.fixture(scope="module")
def cache_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    elsewhere = {"DATABASE_URL": "not needed", "CELERY_BROKER_URL": "not needed"}
    with Servers.start(tmp_path_factory.mktemp("cache"), elsewhere) as servers:
        yield servers.env["CACHE_URL"]


@pytest.fixture
def cache(cache_url: str) -> Iterator[VectorCache]:
    with Redis.from_url(cache_url) as redis:
        redis.flushdb()
    with closing(VectorCache(cache_url, ttl_s=100)) as cache:
        yield cache


def halves(text: str, dimensions: int = 8) -> NDArray[np.float16]:
    return vector_of(text, dimensions).astype(np.float16)


def test_what_was_put_is_got_and_nothing_else(cache: VectorCache) -> None:
    cache.put(MODEL, 8, {ONE: vector_of("one", 8), TWO: vector_of("two", 8)})
    found = cache.get(MODEL, 8, [THREE, TWO, ONE])
    assert {name: vector.tolist() for name, vector in found.items()} == {
        ONE: halves("one").tolist(),
        TWO: halves("two").tolist(),
    }


def test_asking_for_nothing_and_keeping_nothing_is_fine(cache: VectorCache) -> None:
    cache.put(MODEL, 8, {})
    assert cache.get(MODEL, 8, []) == {}


def test_another_model_other_dimensions_or_another_precision_are_other_vectors(cache: VectorCache) -> None:
    cache.put(MODEL, 8, {ONE: vector_of("one", 8)})
    assert cache.get("text-embedding-3-large", 8, [ONE]) == {}
    assert cache.get(MODEL, 4, [ONE]) == {}
    assert cache.get(MODEL, 8, [ONE], np.float32) == {}


def test_single_precision_comes_back_unrounded(cache: VectorCache) -> None:
    cache.put(MODEL, 8, {ONE: vector_of("one", 8)}, np.float32)
    assert cache.get(MODEL, 8, [ONE], np.float32)[ONE].tolist() == vector_of("one", 8).tolist()


def test_a_value_of_the_wrong_size_is_a_miss(cache: VectorCache, cache_url: str) -> None:
    with Redis.from_url(cache_url) as redis:
        redis.set(key(MODEL, 8, ONE), b"half a vector")
    assert cache.get(MODEL, 8, [ONE]) == {}


def test_vectors_expire_and_take_two_bytes_a_dimension(cache: VectorCache, cache_url: str) -> None:
    cache.put(MODEL, 8, {ONE: vector_of("one", 8)})
    with Redis.from_url(cache_url) as redis:
        assert 0 < redis.ttl(key(MODEL, 8, ONE)) <= 100
        assert redis.strlen(key(MODEL, 8, ONE)) == 16


class Deaf:
    """A port on which connections are taken and never answered, or broken off: a Redis that hangs."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.url = f"redis://127.0.0.1:{self.listener.getsockname()[1]}"

    def connections(self) -> int:
        """How many came since the last look."""
        count = 0
        while True:
            try:
                self.listener.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1


@pytest.fixture
def deaf() -> Iterator[Deaf]:
    deaf = Deaf()
    with closing(deaf.listener):
        yield deaf


def test_a_cache_that_hangs_is_an_empty_one_and_is_then_left_alone(deaf: Deaf) -> None:
    with closing(VectorCache(deaf.url, ttl_s=100)) as cache, capture_logs() as logs:
        assert cache.get(MODEL, 8, [ONE]) == {}
        assert deaf.connections() == 1
        for _ in range(10):
            cache.put(MODEL, 8, {ONE: vector_of("one", 8)})
            assert cache.get(MODEL, 8, [ONE]) == {}
        assert deaf.connections() == 0
    assert [entry["event"] for entry in logs] == ["cache unreachable"]


def test_a_cache_that_is_not_there_is_asked_again_after_the_pause(deaf: Deaf) -> None:
    deaf.listener.close()
    with closing(VectorCache(deaf.url, ttl_s=100, pause_s=0)) as cache, capture_logs() as logs:
        assert cache.get(MODEL, 8, [ONE]) == {}
        cache.put(MODEL, 8, {ONE: vector_of("one", 8)})
    assert len(logs) == 2
