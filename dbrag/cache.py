"""Redis as a place that may lose everything at any time: one that cannot be reached is an empty one."""

from collections.abc import Callable
from time import monotonic
from typing import TypeVar, cast

import structlog
from prometheus_client import Counter
from redis import ConnectionError as RedisConnectionError
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_S = 1.0

PAUSE_S = 5.0
"""After a failure the cache is left alone for so long: an outage costs a second now and then, not one each time."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
T = TypeVar("T")

LOOKUPS = Counter("dbrag_cache_lookups", "What was looked for in a cache, and found or not.", ["cache", "answer"])


def count_lookups(cache: str, *, asked: int, found: int) -> None:
    """Notes so many lookups in the cache of this name."""
    LOOKUPS.labels(cache, "hit").inc(found)
    LOOKUPS.labels(cache, "miss").inc(asked - found)


class Cache:
    """A connection to such a Redis; make it after fork. Safe to share between threads."""

    def __init__(self, url: str, pause_s: float = PAUSE_S) -> None:
        self._pause_s = pause_s
        self._quiet_until = 0.0
        self._redis = Redis.from_url(  # pyright: ignore[reportUnknownMemberType] **kwargs has no types
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            # Once, for connections of before its restart; the default stretches a timeout of 2 s to 26 s.
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )

    def close(self) -> None:
        """Close its connections."""
        self._redis.close()

    def get(self, name: str | bytes) -> bytes | None:
        """The value of a key, if it is there."""
        return self.ask(lambda redis: cast("bytes | None", redis.get(name)), None)

    def put(self, name: str | bytes, value: bytes, ttl_s: int) -> None:
        """Keep a value for `ttl_s`."""
        self.ask(lambda redis: redis.set(name, value, ex=ttl_s), None)

    def ask(self, command: Callable[[Redis], T], otherwise: T) -> T:
        """What the command returns, or `otherwise` where Redis cannot be asked."""
        if monotonic() < self._quiet_until:
            return otherwise
        try:
            return command(self._redis)
        except RedisError as exc:
            self._quiet_until = monotonic() + self._pause_s
            log.warning("cache unreachable", error=str(exc), pause_s=self._pause_s)
            return otherwise
