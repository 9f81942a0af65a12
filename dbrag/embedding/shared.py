"""Budgets in the cache's Redis, shared by all processes that use the same provider key."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import orjson
import structlog
from prometheus_client import Gauge
from redis import Redis

from dbrag.cache import PAUSE_S, Cache
from dbrag.embedding.budget import Budget, Limits, Verb
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
        self._cache = Cache(url, quiet_s)
        self._away = False

    def close(self) -> None:
        """Close its connections."""
        self._cache.close()

    def order(self, model: str, verb: Verb, order: Any, limits: Limits, start: float) -> tuple[int, Budget] | None:
        """`advance` and `obey` of Budget, inside Redis: the milliseconds to wait, and the budget as it is then."""
        args = [model, orjson.dumps(limits), start, verb, orjson.dumps(order)]
        answer = self._ask(lambda redis: cast("list[Any]", redis.register_script(SCRIPT)(keys=[self._key], args=args)))
        return (int(answer[0]), Budget.parse(answer[2])) if answer else None

    def all(self) -> tuple[int, dict[str, Budget]] | None:
        """The server's time in milliseconds, and the budgets by model as of their last order."""

        def read(redis: Redis) -> Any:
            pipeline = redis.pipeline(transaction=False)  # pyright: ignore[reportUnknownMemberType] partly typed
            pipeline.time()  # pyright: ignore[reportUnknownMemberType] partly typed
            pipeline.hgetall(self._key)
            return pipeline.execute()

        answer = self._ask(read)
        if answer is None:
            return None
        (seconds, microseconds), stored = answer
        return seconds * 1000 + microseconds // 1000, {
            model.decode(): Budget.parse(budget) for model, budget in stored.items()
        }

    def _ask(self, command: Callable[[Redis], T]) -> T | None:
        answer = self._cache.ask(command, None)
        if self._away != (answer is None):
            self._away = answer is None
            log.warning("governor alone" if self._away else "governor shared again")
        ALONE.set(int(self._away))
        return answer
