"""The cache of search answers in Redis: a write to the collection makes them unreachable, and then they expire."""

import zlib
from hashlib import sha256

import orjson

from dbrag.cache import PAUSE_S, Cache, count_lookups
from dbrag.documents.model import Collection
from dbrag.vectors.model import Hit, Question


def key(collection: Collection, question: Question) -> bytes:
    """The Redis key of one answer; it holds nothing of the question.

    Whatever changes what a search finds counts up the collection's version, or changes its generation. As the version
    is read before the search is made, an answer is at least as new as the version in its key.
    """
    asked = (collection.tenant_id, collection.id, collection.generation_id, collection.version, question)
    return b"a2:" + sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).digest()


class AnswerCache:
    """Answers by collection and question; an unreachable cache is an empty one. Make it after fork."""

    def __init__(self, url: str, ttl_s: int, pause_s: float = PAUSE_S) -> None:
        self._ttl_s = ttl_s
        self._cache = Cache(url, pause_s)

    def close(self) -> None:
        """Close its connections."""
        self._cache.close()

    def get(self, collection: Collection, question: Question) -> list[Hit] | None:
        """The answer, if one is kept that is as new as `collection`."""
        value = self._cache.get(key(collection, question))
        count_lookups("answers", asked=1, found=int(value is not None))
        return None if value is None else [Hit(**hit) for hit in orjson.loads(zlib.decompress(value))]

    def put(self, collection: Collection, question: Question, hits: list[Hit]) -> None:
        """Keep an answer that was found after `collection` had been read."""
        try:
            packed = orjson.dumps(hits)
        except TypeError:  # metadata with a whole number beyond 64 bits, as PostgreSQL writes 1e25
            return
        # Texts shrink to half; the fastest level is as good as the others here.
        self._cache.put(key(collection, question), zlib.compress(packed, 1), self._ttl_s)
