"""Requests of a key that are counted, and refused beyond a limit."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from api_client import Call, body, caller
from redis import Redis
from werkzeug.test import TestResponse

from api import metrics, ratelimit
from api.app import Api, create_app
from dbrag.accounts.model import Scope
from dbrag.cache import Cache
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]


def limited(settings: Settings, **changes: object) -> Settings:
    return Settings.model_validate(settings.model_dump() | {"rate_limit": "3/hour"} | changes)


@pytest.fixture
def redis(api_settings: Settings) -> Iterator[Redis]:
    """The cache's."""
    assert api_settings.cache_url
    with Redis.from_url(api_settings.cache_url.get_secret_value()) as redis:
        yield redis


@pytest.fixture
def app(api_settings: Settings) -> Iterator[Api]:
    app = create_app(limited(api_settings))
    yield app
    app.extensions["dbrag"].close()


@pytest.fixture
def call(app: Api, key: Callable[..., str]) -> Call:
    return caller(app, key())


def told(answer: TestResponse) -> list[str]:
    return [name for name in answer.headers.keys() if name.startswith("RateLimit-")]  # noqa: SIM118  # no mapping


def uncounted() -> float:
    (family,) = metrics.UNCOUNTED.collect()
    return family.samples[0].value


def test_each_answer_says_what_is_left_until_when(call: Call) -> None:
    answers = [call("GET", path) for path in ("/v1/jobs", "/v1/no-such-thing", "/v1/queues")]
    assert [answer.status_code for answer in answers] == [200, 404, 200]
    assert [answer.headers["RateLimit-Limit"] for answer in answers] == ["3"] * 3
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0"]
    assert all(3500 < int(answer.headers["RateLimit-Reset"]) <= 3600 for answer in answers)


def test_a_request_beyond_the_limit_is_429_and_says_when_to_go_on(call: Call) -> None:
    for _ in range(3):
        call("GET", "/v1/jobs")
    answer = call("POST", "/v1/collections/any/documents", data=b"{", content_type="application/json")
    assert answer.status_code == 429
    problem = body(answer)
    assert (problem["code"], problem["retryable"]) == ("rate_limited", True)
    assert "3 requests in 3,600 s" in problem["detail"]
    assert answer.headers["Retry-After"] == answer.headers["RateLimit-Reset"]
    assert answer.headers["RateLimit-Remaining"] == "0"


def test_the_answer_of_a_view_keeps_its_own_retry_after(call: Call) -> None:
    call("PUT", "/v1/collections/counted", json={"dimensions": 4})
    answer = call("POST", "/v1/collections/counted/documents", json={"text": "a"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (202, "1")


def test_keys_are_counted_apart(app: Api, call: Call, key: Callable[..., str]) -> None:
    for _ in range(4):
        call("GET", "/v1/jobs")
    assert caller(app, key())("GET", "/v1/jobs").headers["RateLimit-Remaining"] == "2"


def test_a_request_that_lacks_its_scope_or_its_key_is_not_counted(app: Api, key: Callable[..., str]) -> None:
    for call, status in ((caller(app, key(Scope.SEARCH)), 403), (caller(app, "dbrag_nobody"), 401)):
        answers = [call("GET", "/v1/jobs") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [status] * 4
        assert not any(told(answer) for answer in answers)


def test_of_several_limits_the_one_that_is_reached_counts(api_settings: Settings, key: Callable[..., str]) -> None:
    app = create_app(limited(api_settings, rate_limit="100/minute;2/hour"))
    call = caller(app, key())
    assert [call("GET", "/v1/jobs").status_code for _ in range(3)] == [200, 200, 429]
    answer = call("GET", "/v1/jobs")
    assert (answer.headers["RateLimit-Limit"], int(answer.headers["Retry-After"]) > 60) == ("2", True)
    app.extensions["dbrag"].close()


def test_what_needs_no_key_is_not_limited(app: Api) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/docs", "/v1/openapi.json"):
        for _ in range(4):
            answer = app.test_client().get(path)
            assert answer.status_code == 200, path
            assert not told(answer)


def test_while_redis_is_away_all_are_let_through_and_counted_as_such(
    api_settings: Settings, key: Callable[..., str]
) -> None:
    app = create_app(limited(api_settings, cache_url="redis://127.0.0.1:1/0"))
    call, before = caller(app, key()), uncounted()
    answers = [call("GET", "/v1/jobs") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert not any(told(answer) for answer in answers)
    assert uncounted() == before + 5
    app.extensions["dbrag"].close()


def test_a_redis_that_never_answers_is_asked_once_and_then_left_alone(
    api_settings: Settings, key: Callable[..., str]
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.settimeout(0)
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        app = create_app(limited(api_settings, cache_url=url))
        call = caller(app, key())
        assert [call("GET", "/v1/jobs").status_code for _ in range(3)] == [200] * 3
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
        app.extensions["dbrag"].close()


def test_counting_goes_on_when_redis_counts_again(
    api_settings: Settings, redis: Redis, key: Callable[..., str]
) -> None:
    app = create_app(api_settings)
    assert api_settings.cache_url
    with closing(Cache(api_settings.cache_url.get_secret_value(), pause_s=0)) as cache:
        ratelimit.register(app, "3/hour", cache)
        call = caller(app, key())
        assert call("GET", "/v1/jobs").headers["RateLimit-Remaining"] == "2"
        redis.config_set("min-replicas-to-write", 1)  # it has none, and refuses to write
        try:
            assert "RateLimit-Remaining" not in call("GET", "/v1/jobs").headers
        finally:
            redis.config_set("min-replicas-to-write", 0)
        assert call("GET", "/v1/jobs").headers["RateLimit-Remaining"] == "1"
    app.extensions["dbrag"].close()


def test_without_a_limit_nothing_is_counted(api_settings: Settings, key: Callable[..., str]) -> None:
    app = create_app(api_settings)
    answer = caller(app, key())("GET", "/v1/jobs")
    assert not told(answer)
    app.extensions["dbrag"].close()
