"""What Prometheus is told of a process's connections to PostgreSQL."""

from prometheus_client import Counter

from dbrag.database.pool import Pool

ASKED = Counter("dbrag_pool_asked", "Times that a connection was asked of a pool.")
WAITED = Counter("dbrag_pool_waited", "Times that none was free, and whoever asked waited.")
WAITED_S = Counter("dbrag_pool_wait_seconds", "Seconds that they waited in all.")
REFUSED = Counter("dbrag_pool_refused", "Times that they got none.")
USED_S = Counter("dbrag_pool_use_seconds", "Seconds that connections were in use.")


def count(pool: Pool) -> None:
    """Adds what the pool has counted since it was last asked."""
    stats = pool.pop_stats()
    ASKED.inc(stats.get("requests_num", 0))
    WAITED.inc(stats.get("requests_queued", 0))
    WAITED_S.inc(stats.get("requests_wait_ms", 0) / 1000)
    REFUSED.inc(stats.get("requests_errors", 0))
    USED_S.inc(stats.get("usage_ms", 0) / 1000)
