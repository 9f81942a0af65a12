"""Budgets in the cache's Redis, shared by all processes that use the same provider key."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar, cast

import orjson
import structlog
from prometheus_client import Gauge
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from dbrag.embedding.budget import Budget, Limits, Verb
from dbrag.embedding.cache import PAUSE_S, TIMEOUT_S
from dbrag.settings import Settings

ALONE = Gauge(
    "dbrag_governor_alone",
    "1 while this process does not reach the shared limits of the provider, and keeps to a share of its own.",
    multiprocess_mode="livemax",
)
SCRIPT = Path(__file__).with_name("governor.lua").read_text()

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

T = TypeVar("T")


def account_key(settings: Settings) -> str:
    """The Redis key of what belongs to one provider key; the key cannot be read from it."""
    account = f"{settings.openai_base_url or ''}\0{settings.openai_api_key.get_secret_value()}"
    return f"governor:v1:{sha256(account.encode()).hexdigest()[:16]}"


class SharedBudgets:
    """Orders to the budgets by model. Where Redis is away every answer is None, and it is left alone for a while.

    Make it after fork; safe to share between threads.
    """

    def __init__(self, url: str, settings: Settings, quiet_s: float = PAUSE_S) -> None:
        self._key = account_key(settings)
        self._quiet_s = quiet_s
        self._quiet_until = 0.0
        self._away = False
        self._redis = Redis.from_url(  # pyright: ignore[reportUnknownMemberType] **kwargs has no types
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),  # the default stretches a timeout of 2 s to 26 s
        )
        self._script = self._redis.register_script(SCRIPT)

    def close(self) -> None:
        """Close its connections."""
        self._redis.close()

    def order(self, model: str, verb: Verb, order: Any, limits: Limits, start: float) -> tuple[int, Budget] | None:
        """`advance` and `obey` of Budget, inside Redis: the milliseconds to wait, and the budget as it is then."""
        args = [model, orjson.dumps(limits), start, verb, orjson.dumps(order)]
        answer = self._try(lambda: cast("list[Any]", self._script(keys=[self._key], args=args)))
        return (int(answer[0]), Budget.parse(answer[2])) if answer else None

    def all(self) -> tuple[int, dict[str, Budget]] | None:
        """The server's time in milliseconds, and the budgets by model as of their last order."""
        pipeline = self._redis.pipeline(transaction=False)  # pyright: ignore[reportUnknownMemberType] partly typed
        pipeline.time()  # pyright: ignore[reportUnknownMemberType] partly typed
        pipeline.hgetall(self._key)
        answer = self._try(pipeline.execute)
        if answer is None:
            return None
        (seconds, microseconds), stored = answer
        return seconds * 1000 + microseconds // 1000, {
            model.decode(): Budget.parse(budget) for model, budget in stored.items()
        }

    def _try(self, command: Callable[[], T]) -> T | None:
        if monotonic() < self._quiet_until:
            return None
        try:
            answer = command()
        except RedisError as exc:
            self._quiet_until = monotonic() + self._quiet_s
            self._away = True
            ALONE.set(1)
            log.warning("governor alone", error=str(exc), quiet_s=self._quiet_s)
            return None
        if self._away:
            self._away = False
            log.info("governor shared again")
        ALONE.set(0)
        return answer
