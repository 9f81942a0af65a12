"""The cache of vectors in Redis: it may vanish at any time, and never fails the work."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from time import monotonic
from typing import Any, TypeVar, cast

import numpy as np
import structlog
from numpy.typing import DTypeLike, NDArray
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_S = 1.0

PAUSE_S = 5.0
"""After a failure the cache is left alone for so long: an outage costs a second now and then, not one each batch."""

HALVES = np.dtype("<f2")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Vector = NDArray[Any]
T = TypeVar("T")


def key(model: str, dimensions: int, text_hash: bytes, dtype: DTypeLike = HALVES) -> bytes:
    """The Redis key of one vector; it holds nothing of the text.

    Collections that store halves find halves: half of Redis' memory, and what their column would round to anyway. For
    those that store float32 these would be a loss, so the type of the elements is part of the key.
    """
    kind = np.dtype(dtype).str.lstrip("<=")
    return b"v1:" + sha256(b"%b\0%d\0%b\0%b" % (model.encode(), dimensions, kind.encode(), text_hash)).digest()


class VectorCache:
    """Vectors by model, dimensions and text hash; an unreachable cache is an empty one. Make it after fork."""

    def __init__(self, url: str, ttl_s: int, pause_s: float = PAUSE_S) -> None:
        self._ttl_s = ttl_s
        self._pause_s = pause_s
        self._quiet_until = 0.0
        self._redis = Redis.from_url(  # pyright: ignore[reportUnknownMemberType] **kwargs has no types
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),  # the default stretches a timeout of 2 s to 26 s
        )

    def close(self) -> None:
        """Close its connections."""
        self._redis.close()

    def get(
        self, model: str, dimensions: int, text_hashes: Sequence[bytes], dtype: DTypeLike = HALVES
    ) -> dict[bytes, Vector]:
        """The vectors (dimensions,) that are known, by text hash; of `dtype`, read-only."""
        keys = [key(model, dimensions, text_hash, dtype) for text_hash in text_hashes]
        values = self._try(lambda: cast("list[bytes | None]", self._redis.mget(keys)), []) if keys else []
        size = dimensions * np.dtype(dtype).itemsize
        return {
            text_hash: np.frombuffer(value, np.dtype(dtype).newbyteorder("<"))
            for text_hash, value in zip(text_hashes, values or [None] * len(keys), strict=True)
            if value is not None and len(value) == size
        }

    def put(self, model: str, dimensions: int, vectors: Mapping[bytes, Vector], dtype: DTypeLike = HALVES) -> None:
        """Keep `vectors` (by text hash) for `ttl_s`, rounded to `dtype`."""
        pipeline = self._redis.pipeline(transaction=False)  # pyright: ignore[reportUnknownMemberType] partly typed
        for text_hash, vector in vectors.items():
            value = vector.astype(np.dtype(dtype).newbyteorder("<")).tobytes()
            pipeline.set(key(model, dimensions, text_hash, dtype), value, ex=self._ttl_s)
        self._try(pipeline.execute, None)

    def _try(self, command: Callable[[], T], otherwise: T) -> T:
        if monotonic() < self._quiet_until:
            return otherwise
        try:
            return command()
        except RedisError as exc:
            self._quiet_until = monotonic() + self._pause_s
            log.warning("cache unreachable", error=str(exc), pause_s=self._pause_s)
            return otherwise
