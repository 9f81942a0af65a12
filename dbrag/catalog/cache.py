"""The cache of catalog entries in Redis, as they are read most: `meta:{connection}:{table}`."""

from collections.abc import Iterable

from pydantic import TypeAdapter, ValidationError
from redis import Redis

from dbrag.cache import PAUSE_S, Cache, count_lookups
from dbrag.catalog.model import Entry

_ENTRY = TypeAdapter(Entry)


def key(connection_id: int, full_name: str) -> str:
    """The Redis key of one table; `connection_id` is that of one tenant."""
    return f"meta:{connection_id}:{full_name}"


class EntryCache:
    """Entries by connection and table; an unreachable cache is an empty one. Make it after fork."""

    def __init__(self, url: str, ttl_s: int, pause_s: float = PAUSE_S) -> None:
        self._ttl_s = ttl_s
        self._cache = Cache(url, pause_s)

    def close(self) -> None:
        """Close its connections."""
        self._cache.close()

    def get(self, connection_id: int, full_name: str, version_id: int) -> Entry | None:
        """The entry, if it is the one that this version of the table's document has: what is older is dropped."""
        name = key(connection_id, full_name)
        value = self._cache.get(name)
        count_lookups("entries", asked=1, found=int(value is not None))
        if value is None:
            return None
        try:
            entry = _ENTRY.validate_json(value)
        except ValidationError:  # another release's
            entry = None
        if entry is None or entry.version_id != version_id:
            self.drop(connection_id, [full_name])
            return None
        return entry

    def put(self, entry: Entry) -> None:
        """Keeps an entry for `ttl_s`."""
        self._cache.put(key(entry.connection_id, entry.table.full_name), _ENTRY.dump_json(entry), self._ttl_s)

    def drop(self, connection_id: int, full_names: Iterable[str]) -> None:
        """Forgets tables that have changed, or whose statistics have."""
        names = [key(connection_id, full_name) for full_name in full_names]
        if names:
            self._cache.ask(lambda redis: _delete(redis, names), None)


def _delete(redis: Redis, names: list[str]) -> None:
    redis.delete(*names)
