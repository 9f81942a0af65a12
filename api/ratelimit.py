"""How many requests a key may make: counted in the cache's Redis, and not at all while that is away."""

import math
import time
from typing import Any, NamedTuple

from flask import Flask, Response, g
from flask_limiter import Limiter, RateLimitExceeded, RequestLimit
from limits.storage import Storage
from redis import Redis, RedisError

from api import metrics, problems
from api.auth import principal
from dbrag.cache import Cache
from dbrag.errors import RateLimited


class Counted(NamedTuple):
    """How many requests there were, this one included, and when (Unix time) they are counted from zero again."""

    requests: int
    resets_at: float


class Counts(Storage):
    """The counts as flask-limiter asks for them: one round trip a request. While Redis is away all are allowed."""

    STORAGE_SCHEME = ["cache"]  # noqa: RUF012  # as it is declared there

    def __init__(self, uri: str, cache: Cache, **_: Any) -> None:
        super().__init__(uri)
        self._cache = cache

    @property
    def base_exceptions(self) -> type[Exception]:
        return RedisError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        counted = self._cache.ask(lambda redis: _count(redis, key, expiry, amount), None)
        if counted is None:
            metrics.UNCOUNTED.inc()
            return 0
        _of_this_request()[key] = counted
        return counted.requests

    def get(self, key: str) -> int:
        return _of_this_request()[key].requests

    def get_expiry(self, key: str) -> float:
        return _of_this_request()[key].resets_at

    def check(self) -> bool:
        return True

    def reset(self) -> None:
        """Nothing: the counts of all keys stand among what others keep in that Redis, and end by themselves."""

    def clear(self, key: str) -> None:
        self._cache.ask(lambda redis: redis.delete(key), 0)


def register(app: Flask, limit: str, cache: Cache) -> None:
    """Count the requests of each principal of `app`, refuse those beyond `limit`, and tell how many are left.

    To be called after authorise() is registered: it must be known who asks. No body is read before.
    """
    limiter = Limiter(
        lambda: principal().name,
        application_limits=[limit],  # one count for all addresses, those that are nothing included
        request_identifier=lambda: "/v1",
        strategy="fixed-window",  # the one in which RateLimit-Reset means what it says
        storage_uri="cache://",
        storage_options={"cache": cache},  # pyright: ignore[reportArgumentType]  # it goes to Counts as it is
    )
    limiter.request_filter(lambda: "principal" not in g)
    limiter.init_app(app)
    app.register_error_handler(RateLimitExceeded, lambda _: _refuse(limiter.current_limit))
    app.after_request(lambda response: _tell(response, limiter.current_limit))


def _refuse(limit: RequestLimit | None) -> Response:
    assert limit is not None
    amount, seconds, wait_s = limit.limit.amount, limit.limit.get_expiry(), _resets_in_s(limit)
    return problems.of_dbrag(
        RateLimited(
            f"one key may send {amount:,} requests in {seconds:,} s here: go on in {wait_s} s, and send many documents "
            "in one request",
            retry_after_s=wait_s,
        )
    )


def _tell(response: Response, limit: RequestLimit | None) -> Response:
    """The headers that draft-ietf-httpapi-ratelimit-headers-07 names, where the request was counted."""
    if limit is not None and limit.key in _of_this_request():
        response.headers["RateLimit-Limit"] = str(limit.limit.amount)
        response.headers["RateLimit-Remaining"] = str(limit.remaining)
        response.headers["RateLimit-Reset"] = str(_resets_in_s(limit))
    return response


def _resets_in_s(limit: RequestLimit) -> int:
    return max(1, math.ceil(_of_this_request()[limit.key].resets_at - time.time()))


def _of_this_request() -> dict[str, Counted]:
    if "counted" not in g:
        g.counted = {}
    return g.counted


def _count(redis: Redis, key: str, expiry_s: int, amount: int) -> Counted:
    with redis.pipeline() as pipe:
        pipe.set(key, 0, ex=expiry_s, nx=True)
        pipe.incrby(key, amount)
        pipe.pttl(key)
        _, requests, left_ms = pipe.execute()
    return Counted(requests, time.time() + left_ms / 1000)
