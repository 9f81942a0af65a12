"""The governor on a real Redis: shared by processes, without it, and with a bucket that vanishes."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from copy import deepcopy
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from redis import Redis
from structlog.testing import capture_logs

from dbrag.devstack.servers import Servers
from dbrag.embedding.budget import SPACING_MS, Budget, Kind, Limit, Said
from dbrag.embedding.governor import DEFAULT_PAUSE_S, MAX_PAUSE_S, PARTS, Governor
from dbrag.embedding.shared import SCRIPT, account_key
from dbrag.settings import Settings

MODEL = "text-embedding-3-small"
OTHER = "text-embedding-3-large"
EMPTY = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-remaining-tokens": "0"}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    elsewhere = {"DATABASE_URL": "not needed", "CELERY_BROKER_URL": "not needed"}
    with Servers.start(tmp_path_factory.mktemp("governor"), elsewhere) as servers:
        yield servers


@pytest.fixture
def redis(servers: Servers) -> Iterator[Redis]:
    with Redis.from_url(servers.env["CACHE_URL"]) as redis:
        redis.flushdb()
        yield redis


def settings(url: str | None, requests: int | None = None, tokens: int | None = None, **more: object) -> Settings:
    needed = {"database_url": "postgresql:///", "celery_broker_url": "redis:///", "openai_api_key": "sk-secret"}
    limits = {"cache_url": url, "requests_per_minute": requests, "tokens_per_minute": tokens}
    return Settings.model_validate(needed | limits | more)


@pytest.fixture
def start(servers: Servers, redis: Redis) -> Iterator[Callable[..., Governor]]:
    """Starts a governor, as another process would."""
    with ExitStack() as stack:

        def start(requests: int | None = None, tokens: int | None = None, url: str = servers.env["CACHE_URL"]):
            return stack.enter_context(closing(Governor(settings(url or None, requests, tokens), quiet_s=0)))

        yield start


Start = Callable[..., Governor]


def limits(requests: int, tokens: int) -> dict[str, str]:
    return {"x-ratelimit-limit-requests": str(requests), "x-ratelimit-limit-tokens": str(tokens)}


def left(governor: Governor, kind: Kind = "tokens") -> float:
    return governor.standings()[MODEL].buckets[kind].level


def passes(governor: Governor, tokens: int = 1) -> int:
    """How many requests pass one after the other."""
    count = 0
    while governor.take(MODEL, tokens) == 0:
        count += 1
    return count


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alone() -> float | None:
    return REGISTRY.get_sample_value("dbrag_governor_alone")


# Slow limits refill next to nothing while a test runs: 60 a minute are one a second.
class TestShared:
    def test_nothing_is_refused_until_a_limit_is_known(self, start: Start) -> None:
        governor = start()
        assert [governor.take(MODEL, 300_000) for _ in range(50)] == [0.0] * 50
        assert governor.standings()[MODEL].buckets == {}

    def test_one_budget_serves_all_and_each_model_has_its_own(self, start: Start) -> None:
        first, second = start(10), start(10)
        assert sum(governor.take(MODEL, 1) == 0 for _ in range(4) for governor in (first, second)) == 8
        assert passes(second) + passes(first) == 2
        assert 0 < first.take(MODEL, 1) <= 6
        assert first.take(OTHER, 1) == 0

    def test_what_one_learns_binds_the_others(self, start: Start) -> None:
        first, second = start(), start()
        first.learn(MODEL, limits(60, 1000) | {"x-ratelimit-remaining-tokens": "300"})
        assert second.take(MODEL, 200) == 0
        assert second.take(MODEL, 200) == pytest.approx(6, abs=2)
        assert second.standings()[MODEL].buckets["requests"].learned

    def test_limits_go_up_and_down_while_what_is_left_only_goes_down(self, start: Start) -> None:
        governor = start(None, 1000)
        governor.take(MODEL, 600)
        governor.learn(MODEL, limits(60, 100_000) | {"x-ratelimit-remaining-tokens": "90000"})
        assert left(governor) < 100_000 / 2
        governor.learn(MODEL, limits(60, 2000) | {"x-ratelimit-remaining-tokens": "100"})
        assert left(governor) <= 200
        governor.learn(MODEL, limits(60, 10))  # an answer of other shape
        assert left(governor) <= 10

    def test_other_settings_hold_at_once_where_the_provider_says_nothing(self, start: Start) -> None:
        assert start(1000).take(MODEL, 1) == 0
        assert passes(start(5)) == 5

    def test_a_search_is_counted_and_never_waits(self, start: Start) -> None:
        governor = start(None, 1000)
        for _ in range(3):
            governor.count(MODEL, 500)
        assert left(governor) == pytest.approx(-500, abs=250)
        assert governor.take(MODEL, 100) > 10

    def test_more_than_a_bucket_passes_when_it_is_full(self, start: Start) -> None:
        governor = start(None, 1000)
        assert governor.take(MODEL, 3000) == 0
        assert governor.take(MODEL, 3000) == pytest.approx(180, abs=3)

    def test_the_key_of_the_provider_is_not_readable_in_redis(self, start: Start, redis: Redis) -> None:
        start().take(MODEL, 1)
        [key] = redis.keys()
        assert b"secret" not in key
        assert account_key(settings(None, openai_api_key="other")) != key.decode()
        assert account_key(settings(None, openai_base_url="http://other/v1")) != key.decode()
        assert 0 < redis.ttl(key) <= 2 * 86_400


class TestAPause:
    def test_holds_everybody_and_then_lets_them_in_one_by_one(self, start: Start, redis: Redis) -> None:
        first, second, third = start(6), start(6), start(6)
        assert second.take(MODEL, 1) == 0
        first.pause(MODEL, 60)
        assert first.take(MODEL, 1) == pytest.approx(60, abs=10)
        assert second.take(MODEL, 1) == pytest.approx(60, abs=10)
        assert second.paused()[MODEL] == pytest.approx(60, abs=10)
        assert second.take(OTHER, 1) == 0
        let_pass(redis, 60)
        assert second.paused() == {}
        assert passes(second) + passes(third) <= 1
        let_pass(redis, 10)
        assert 1 <= passes(second) + passes(third) <= 2

    def test_is_over_when_its_time_is(self, start: Start) -> None:
        governor = start(6000)
        governor.pause(MODEL, 0.2)
        wait_until(lambda: governor.take(MODEL, 1) == 0)
        assert governor.paused() == {}

    @pytest.mark.parametrize(
        ("said_s", "pause_s"), [(None, DEFAULT_PAUSE_S), (3.5, 3.5), (86_400, MAX_PAUSE_S), (0, 0.1)]
    )
    def test_lasts_as_long_as_the_provider_says_within_reason(
        self, start: Start, said_s: float | None, pause_s: float
    ) -> None:
        governor, before = start(), REGISTRY.get_sample_value("dbrag_governor_pauses_total")
        governor.pause(MODEL, said_s)
        assert governor.take(MODEL, 1) == pytest.approx(pause_s, abs=pause_s / 2)
        assert REGISTRY.get_sample_value("dbrag_governor_pauses_total") == (before or 0) + 1

    def test_is_followed_by_one_request_at_a_time_where_no_limit_is_known(self, start: Start, redis: Redis) -> None:
        start().pause(MODEL, 60)
        let_pass(redis, 60)
        assert start().take(MODEL, 1) == 0
        budget = stored(redis)
        assert budget.paused_until_ms == budget.at_ms + SPACING_MS


class TestWithoutItsBucket:
    def test_a_process_that_used_it_begins_again_with_nothing(self, start: Start, redis: Redis) -> None:
        governor = start()
        governor.learn(MODEL, limits(60, 6000) | {"x-ratelimit-remaining-tokens": "5000"})
        redis.flushdb()
        assert governor.take(MODEL, 100) > 0
        assert left(governor) < 2500
        assert governor.standings()[MODEL].buckets["tokens"].learned

    def test_a_process_that_starts_finds_the_limits_of_the_settings_full(self, start: Start, redis: Redis) -> None:
        start(7).take(MODEL, 1)
        redis.flushdb()
        assert passes(start(7)) == 7

    def test_what_was_learned_comes_back_though_a_new_process_was_first(self, start: Start, redis: Redis) -> None:
        governor = start(1000, 1000)
        governor.learn(MODEL, limits(5, 500))
        redis.flushdb()
        start(1000, 1000).take(MODEL, 1)
        assert passes(governor) <= 5
        assert governor.standings()[MODEL].buckets["tokens"].limit == 500


class TestWithoutRedis:
    def test_a_process_keeps_to_a_tenth_and_says_so_until_redis_is_back(self, start: Start, servers: Servers) -> None:
        governor, other = start(), start()
        governor.learn(MODEL, limits(600, 1_000_000))
        assert governor.take(MODEL, 1) == 0
        assert alone() == 0
        servers["redis-cache"].kill()
        try:
            with capture_logs() as logs:
                assert governor.take(MODEL, 50_000) == pytest.approx(30, abs=2)  # of 100,000 a minute, begun empty
            assert "governor alone" in {entry["event"] for entry in logs}
            assert alone() == 1
            standing = governor.standings()[MODEL]
            assert not standing.shared
            assert standing.buckets["requests"].limit == 600 / PARTS
            governor.learn(MODEL, limits(600, 100))
            assert governor.standings()[MODEL].buckets["tokens"].limit == 100 / PARTS
        finally:
            servers["redis-cache"].restart()
        with capture_logs() as logs:
            governor.take(MODEL, 1)
        assert "governor shared again" in {entry["event"] for entry in logs}
        assert alone() == 0
        standing = other.standings()[MODEL]  # its memory is gone, what this process knew is not
        assert standing.shared
        assert standing.buckets["tokens"].limit == 100
        assert standing.buckets["tokens"].level < 10

    @pytest.mark.parametrize("url", ["redis://127.0.0.1:9", ""])
    def test_nothing_is_refused_where_no_limit_was_ever_known_but_a_pause_is_kept(self, start: Start, url: str) -> None:
        governor = start(url=url)
        assert alone() == (0 if url else 1)
        assert [governor.take(MODEL, 300_000) for _ in range(20)] == [0.0] * 20
        assert alone() == 1
        governor.pause(MODEL, 20)
        assert governor.take(MODEL, 1) == pytest.approx(20, abs=5)
        assert governor.paused()[MODEL] == pytest.approx(20, abs=5)

    @pytest.mark.parametrize("url", ["redis://127.0.0.1:9", ""])
    def test_the_limits_of_the_settings_hold_in_tenths(self, start: Start, url: str) -> None:
        assert passes(start(100, url=url)) == 100 / PARTS

    def test_a_pause_outlasts_the_outage_that_it_fell_into(self, start: Start, servers: Servers) -> None:
        governor = start()
        servers["redis-cache"].kill()
        try:
            governor.pause(MODEL, 60)
        finally:
            servers["redis-cache"].restart()
        governor.count(MODEL, 1)
        assert governor.take(MODEL, 1) > 30
        assert governor.take(OTHER, 1) == 0

    def test_a_pause_outlasts_the_redis_that_knew_of_it(self, start: Start, servers: Servers) -> None:
        governor = start()
        governor.pause(MODEL, 60)
        servers["redis-cache"].kill()
        try:
            assert governor.take(MODEL, 1) > 30
        finally:
            servers["redis-cache"].restart()

    def test_each_outage_begins_with_nothing_whatever_the_last_one_left(self, start: Start, servers: Servers) -> None:
        governor = start()
        governor.learn(MODEL, limits(600, 1_000_000))
        for _ in range(2):
            servers["redis-cache"].kill()
            try:
                assert governor.take(MODEL, 50_000) == pytest.approx(30, abs=2)
                governor.count(MODEL, 100_000)  # a debt of a minute
            finally:
                servers["redis-cache"].restart()
            governor.count(MODEL, 1)

    def test_one_that_hangs_is_waited_for_once(self) -> None:
        with (
            closing(socket.create_server(("127.0.0.1", 0))) as deaf,
            closing(Governor(settings(f"redis://127.0.0.1:{deaf.getsockname()[1]}"))) as governor,
        ):
            for _ in range(20):
                governor.count(MODEL, 1)
            deaf.setblocking(False)
            deaf.accept()[0].close()
            with pytest.raises(BlockingIOError):
                deaf.accept()


class TestManyWorkers:
    def test_use_all_of_the_budget_and_no_more_and_each_gets_its_part(self, start: Start, redis: Redis) -> None:
        governor = start()
        governor.learn(MODEL, limits(6000, 600_000) | EMPTY)  # 100 requests of 100 tokens a second
        before = stored(redis)
        url = str(governor_url(redis))
        spawn = get_context("spawn")
        counts: Queue[list[int]] = spawn.Queue()
        together = spawn.Barrier(2)
        processes = [spawn.Process(target=work, args=(url, together, counts)) for _ in range(2)]
        for process in processes:
            process.start()
        by_process = [counts.get(timeout=60) for _ in processes]
        for process in processes:
            process.join()
            process.close()
        counts.close()
        after = stored(redis)
        refilled = (after.at_ms - before.at_ms) / 10  # by Redis' own clock
        granted = sum(map(sum, by_process))
        # Exact, as no bucket was ever full: what was refilled was granted, or is left.
        for kind, amount in (("requests", 1), ("tokens", 100)):
            assert amount * granted == pytest.approx(
                amount * refilled - after.buckets[kind].level + before.buckets[kind].level, abs=1e-3 * amount
            )
            assert after.buckets[kind].level < 0.2 * amount * refilled
        assert min(map(sum, by_process)) > granted / 5
        assert all(count for threads in by_process for count in threads)


def governor_url(redis: Redis) -> str:
    kwargs = redis.connection_pool.connection_kwargs
    return f"redis://:{kwargs['password']}@{kwargs['host']}:{kwargs['port']}/0"


def work(url: str, together: Barrier, counts: "Queue[list[int]]") -> None:
    """A process of eight threads that send all they may, for three seconds; how often each of them was let through."""
    granted = [0] * 8
    with closing(Governor(settings(url))) as governor:

        def send(thread: int) -> None:
            while (left_s := stop_at - time.monotonic()) > 0:
                wait_s = governor.take(MODEL, 100)
                granted[thread] += wait_s == 0
                time.sleep(min(wait_s, left_s))

        governor.paused()
        together.wait(timeout=60)
        stop_at = time.monotonic() + 3
        threads = [threading.Thread(target=send, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    counts.put(granted)


def stored(redis: Redis) -> Budget:
    value = redis.hget(account_key(settings(None)), MODEL)
    assert isinstance(value, bytes)
    return Budget.parse(value)


def let_pass(redis: Redis, seconds: int) -> None:
    """As if so much time had passed."""
    budget = stored(redis)
    make_older(budget, seconds * 1000)
    redis.hset(account_key(settings(None)), MODEL, orjson.dumps(budget))


def make_older(budget: Budget, by_ms: int) -> None:
    budget.at_ms -= by_ms
    budget.paused_until_ms = max(0, budget.paused_until_ms - by_ms)
    budget.slow_until_ms = max(0, budget.slow_until_ms - by_ms)


amounts = st.fixed_dictionaries({"requests": st.just(1), "tokens": st.integers(1, 20_000)})
words = st.builds(
    lambda limit, part, period_s: Said(limit, period_s, round(part * limit, 3)),
    st.integers(1, 10_000),
    st.floats(0, 1),
    st.sampled_from([60.0, 86_400.0]),
)
known = st.builds(Limit, st.integers(1, 10_000), st.sampled_from([60.0, 86_400.0]), st.booleans())
orders = st.one_of(
    st.tuples(st.just("take"), amounts),
    st.tuples(st.just("count"), amounts),
    st.tuples(st.just("learn"), st.fixed_dictionaries({}, optional={"requests": words, "tokens": words})),
    st.tuples(st.just("pause"), st.fixed_dictionaries({"ms": st.integers(100, 60_000)})),
)
given_limits = st.fixed_dictionaries({}, optional={"requests": known, "tokens": known})
steps = st.lists(st.tuples(st.integers(0, 60_000), orders, given_limits, st.sampled_from([0.0, 1.0])), max_size=20)


@given(steps)
@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_lua_and_python_do_the_same(redis: Redis, steps: list[tuple[int, Any, dict[Kind, Limit], float]]) -> None:
    redis.flushdb()
    script = redis.register_script(SCRIPT)
    mine: Budget | None = None
    for elapsed_ms, (verb, order), limits, share in steps:
        if mine:
            make_older(mine, elapsed_ms)
            redis.hset("budgets", MODEL, orjson.dumps(mine))
        args = [MODEL, orjson.dumps(limits), share, verb, orjson.dumps(order)]
        wait_ms, now_ms, theirs = script(keys=["budgets"], args=args)
        mine = deepcopy(mine) or Budget(now_ms)
        mine.advance(now_ms, limits, share)
        assert mine.obey(now_ms, verb, order) == wait_ms
        assert_alike(mine, Budget.parse(theirs))


def assert_alike(mine: Budget, theirs: Budget) -> None:
    assert (mine.at_ms, mine.paused_until_ms, mine.slow_until_ms) == (
        theirs.at_ms,
        theirs.paused_until_ms,
        theirs.slow_until_ms,
    )
    assert mine.buckets.keys() == theirs.buckets.keys()
    for kind, bucket in mine.buckets.items():
        assert bucket.as_limit() == theirs.buckets[kind].as_limit()
        assert bucket.level == pytest.approx(theirs.buckets[kind].level, abs=1e-6)
