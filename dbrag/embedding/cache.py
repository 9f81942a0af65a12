"""The cache of vectors in Redis: it may vanish at any time, and never fails the work."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray
from redis import Redis

from dbrag.cache import PAUSE_S, Cache, count_lookups

HALVES = np.dtype("<f2")

Vector = NDArray[Any]


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
        self._cache = Cache(url, pause_s)

    def close(self) -> None:
        """Close its connections."""
        self._cache.close()

    def get(
        self, model: str, dimensions: int, text_hashes: Sequence[bytes], dtype: DTypeLike = HALVES
    ) -> dict[bytes, Vector]:
        """The vectors (dimensions,) that are known, by text hash; of `dtype`, read-only."""
        keys = [key(model, dimensions, text_hash, dtype) for text_hash in text_hashes]
        values = self._cache.ask(lambda redis: cast("list[bytes | None]", redis.mget(keys)), []) if keys else []
        size = dimensions * np.dtype(dtype).itemsize
        found = {
            text_hash: np.frombuffer(value, np.dtype(dtype).newbyteorder("<"))
            for text_hash, value in zip(text_hashes, values or [None] * len(keys), strict=True)
            if value is not None and len(value) == size
        }
        count_lookups("vectors", asked=len(keys), found=len(found))
        return found

    def put(self, model: str, dimensions: int, vectors: Mapping[bytes, Vector], dtype: DTypeLike = HALVES) -> None:
        """Keep `vectors` (by text hash) for `ttl_s`, rounded to `dtype`."""
        values = {
            key(model, dimensions, text_hash, dtype): vector.astype(np.dtype(dtype).newbyteorder("<")).tobytes()
            for text_hash, vector in vectors.items()
        }

        def put_all(redis: Redis) -> None:
            pipeline = redis.pipeline(transaction=False)  # pyright: ignore[reportUnknownMemberType] partly typed
            for name, value in values.items():
                pipeline.set(name, value, ex=self._ttl_s)
            pipeline.execute()

        self._cache.ask(put_all, None)
