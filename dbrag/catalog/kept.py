"""The chat model's answers in Redis: what was paid is not lost where a worker ends before it has written."""

from collections.abc import Sequence
from hashlib import sha256

import orjson

from dbrag.cache import PAUSE_S, Cache, count_lookups
from dbrag.catalog.prompt import Message


def key(model: str, messages: Sequence[Message]) -> bytes:
    """The Redis key of one answer; it holds nothing of the question."""
    return b"d1:" + sha256(orjson.dumps((model, messages), option=orjson.OPT_SORT_KEYS)).digest()


class KeptAnswers:
    """Answers by model and messages; an unreachable cache is an empty one. Make it after fork."""

    def __init__(self, url: str, ttl_s: int, pause_s: float = PAUSE_S) -> None:
        self._ttl_s = ttl_s
        self._cache = Cache(url, pause_s)

    def close(self) -> None:
        """Close its connections."""
        self._cache.close()

    def get(self, model: str, messages: Sequence[Message]) -> str | None:
        """The JSON that was answered, if it is kept."""
        value = self._cache.get(key(model, messages))
        count_lookups("descriptions", asked=1, found=int(value is not None))
        return None if value is None else value.decode()

    def put(self, model: str, messages: Sequence[Message], answer: str) -> None:
        """Keep an answer that was checked for `ttl_s`."""
        self._cache.put(key(model, messages), answer.encode(), self._ttl_s)
