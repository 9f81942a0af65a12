"""How the installation stands, as PostgreSQL and the two Redis know it; read when Prometheus asks a relay.

Each relay tells the same: rules take `max`. What cannot be read is left out, and told by
`dbrag_standing_read`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from threading import Lock
from typing import Any, TypeAlias, cast

import psycopg
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg.rows import dict_row
from redis import Redis, RedisError

from dbrag.database import migrate
from dbrag.database.pool import Connection, connect
from dbrag.database.queries import beside
from dbrag.embedding.pauses import OPENS_AFTER
from dbrag.embedding.shared import SharedBudgets
from dbrag.errors import Transient
from dbrag.jobs import canaries
from dbrag.jobs.model import Kind, Queue, Status
from dbrag.settings import Settings
from dbrag.vectors import index
from dbrag.vectors.model import SegmentStatus

SQL = beside(__file__, "standing.sql")
# Of one statement, and of one question to a Redis: longer than servers that are well need, and all parts together take
# less than the 10 s that Prometheus waits, unless every one is stuck.
STATEMENT_TIMEOUT, REDIS_TIMEOUT_S, LOCK_TIMEOUT_S = "2s", 1.0, 2.0

Rows: TypeAlias = Sequence[Mapping[str, Any]]


class Standing(Collector):
    """Reads with connections of its own, so that whoever is asked goes on working."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reading = Lock()

    def describe(self) -> list[Metric]:
        """Nothing, so that registering asks no server."""
        return []

    def collect(self) -> Iterator[Metric]:
        # Of servers that stand still, whoever asks meanwhile is told no more than that; else readers would pile up.
        if not self._reading.acquire(timeout=LOCK_TIMEOUT_S):
            return
        try:
            yield from self._read()
        finally:
            self._reading.release()

    def _read(self) -> Iterator[Metric]:
        read = GaugeMetricFamily("dbrag_standing_read", "Whether this part could be read just now.", labels=["part"])
        for parts in (self._of_postgresql(), self._of_redis()):
            for part, metrics in parts:
                read.add_metric([part], float(metrics is not None))
                yield from metrics or ()
        yield read

    def _of_postgresql(self) -> Iterator[tuple[str, list[Metric] | None]]:
        parts: dict[str, Callable[[Connection, Settings], Iterator[Metric]]] = {
            "jobs": _jobs,
            "queues": _queues,
            "consumers": _consumers,
            "segments": _segments,
            "budgets": _budgets,
            "pauses": _pauses,
            "schema": _schema,
        }
        done = 0
        try:
            with connect(self._settings, autocommit=True) as conn:
                conn.execute("SELECT set_config('statement_timeout', %s, false)", [STATEMENT_TIMEOUT])
                for part, tell in parts.items():
                    try:
                        metrics = list(tell(conn, self._settings))
                    except psycopg.Error:  # such as a statement that took too long: the others are still read
                        metrics = None
                    done += 1
                    yield part, metrics
        except (psycopg.Error, Transient):
            yield from ((part, None) for part in list(parts)[done:])

    def _of_redis(self) -> Iterator[tuple[str, list[Metric] | None]]:
        broker_url, cache_url = self._settings.celery_broker_url, self._settings.cache_url
        if broker_url.get_secret_value().startswith("redis"):
            yield "broker", _asked(broker_url.get_secret_value(), _broker)
        if cache_url:
            yield "cache", _asked(cache_url.get_secret_value(), _cache)
            yield "governor", _governor(cache_url.get_secret_value(), self._settings)


def _gauges(rows: Rows, labels: Sequence[str], texts: Mapping[str, tuple[str, str]]) -> Iterator[Metric]:
    """A gauge for each of `texts`, which names by column its metric and what that says."""
    for column, (name, text) in texts.items():
        gauge = GaugeMetricFamily(name, text, labels=labels)
        for row in rows:
            gauge.add_metric([row[label] for label in labels], row[column])
        yield gauge


def _rows(conn: Connection, block: Any, parameters: Mapping[str, Any]) -> Rows:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(block, parameters).fetchall()


def _jobs(conn: Connection, _settings: Settings) -> Iterator[Metric]:
    labels = ["kind", "queue", "status"]
    found = {tuple(row[label] for label in labels): row["jobs"] for row in _rows(conn, SQL.jobs_standing, {})}
    gauge = GaugeMetricFamily("dbrag_jobs", "Jobs that are not over.", labels=labels)
    for key in product(Kind, Queue, (status for status in Status if not status.is_final)):
        gauge.add_metric(key, found.get(key, 0))
    yield gauge


def _queues(conn: Connection, settings: Settings) -> Iterator[Metric]:
    rows = _rows(conn, SQL.queues_standing, {"queues": [queue.value for queue in Queue]})
    yield from _gauges(
        rows,
        ["queue"],
        {
            "waiting": ("dbrag_queue_waiting", "Jobs that no worker has claimed, in the broker or not."),
            "waiting_s": ("dbrag_queue_waiting_seconds", "Age of the oldest of them since it was accepted."),
            "published": ("dbrag_queue_published", "Of them, jobs that the broker has."),
            "published_s": ("dbrag_queue_published_seconds", "Time since the oldest of these was published."),
            "unpublished": ("dbrag_outbox_jobs", "Jobs that were accepted and never published yet."),
            "unpublished_s": ("dbrag_outbox_seconds", "Age of the oldest of them."),
            "texts": ("dbrag_queue_texts", "Texts without a vector."),
        },
    )
    yield GaugeMetricFamily(
        "dbrag_queue_window", "Jobs of one queue in the broker at most; more wait in the outbox.", settings.queue_window
    )


def _consumers(conn: Connection, settings: Settings) -> Iterator[Metric]:
    unserved = canaries.unconsumed(conn, settings)
    gauge = GaugeMetricFamily("dbrag_queue_unserved", "Whether no worker serves the queue.", labels=["queue"])
    for queue in Queue:
        gauge.add_metric([queue.value], float(queue in unserved))
    yield gauge


def _segments(conn: Connection, _settings: Settings) -> Iterator[Metric]:
    rows = _rows(conn, SQL.segments_standing, {"statuses": [status.value for status in SegmentStatus]})
    yield from _gauges(rows, ["status"], {"segments": ("dbrag_segments", "Segments of all indexes.")})
    sealed_s = max(row["oldest_s"] for row in rows if row["status"] == SegmentStatus.SEALED)
    yield GaugeMetricFamily(
        "dbrag_segments_unindexed_seconds", "Longest that a sealed one waits for its graph.", sealed_s
    )
    sizes = [size for sizes in index.indexed(conn).values() for size in sizes]
    yield GaugeMetricFamily("dbrag_index_rows", "Rows of indexed segments as built.", sum(size.rows for size in sizes))
    yield GaugeMetricFamily("dbrag_index_dead_rows", "Of them, gone since.", sum(size.dead_rows for size in sizes))


def _budgets(conn: Connection, _settings: Settings) -> Iterator[Metric]:
    yield from _gauges(
        _rows(conn, SQL.budgets_standing, {}),
        [],
        {
            "tenants": ("dbrag_budgets", "Tenants with a budget."),
            "spent": ("dbrag_budgets_spent", "Of them, those whose budget is spent: their work is held."),
            "nearly_spent": ("dbrag_budgets_nearly_spent", "Of them, those who have spent more than nine tenths."),
        },
    )


def _pauses(conn: Connection, _settings: Settings) -> Iterator[Metric]:
    rows = _rows(conn, SQL.pauses_standing, {"opens_after": OPENS_AFTER})
    text = "Models whose provider gives nothing, by reason."
    return _gauges(rows, ["code"], {"models": ("dbrag_provider_paused_models", text)})


def _schema(conn: Connection, _settings: Settings) -> Iterator[Metric]:
    text = "Whether the schema is that of this code."
    yield GaugeMetricFamily("dbrag_schema_current", text, float(migrate.state(conn).is_current))


def _asked(url: str, tell: Callable[[Redis], Iterator[Metric]]) -> list[Metric] | None:
    try:
        with Redis.from_url(url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S) as redis:  # pyright: ignore[reportUnknownMemberType] **kwargs has no types
            return list(tell(redis))
    except RedisError:
        return None


def _info(redis: Redis, section: str) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", redis.info(section))  # pyright: ignore[reportUnknownMemberType] partly typed


def _broker(redis: Redis) -> Iterator[Metric]:
    memory = _info(redis, "memory")
    yield GaugeMetricFamily("dbrag_broker_memory_bytes", "Memory that the broker uses.", memory["used_memory"])
    yield GaugeMetricFamily("dbrag_broker_memory_limit_bytes", "And may use; 0: no limit.", memory["maxmemory"])
    lengths = GaugeMetricFamily("dbrag_queue_messages", "Messages that no worker has fetched.", labels=["queue"])
    for queue in Queue:
        lengths.add_metric([queue.value], redis.llen(queue.value))
    yield lengths


def _cache(redis: Redis) -> Iterator[Metric]:
    memory, stats = _info(redis, "memory"), _info(redis, "stats")
    yield GaugeMetricFamily("dbrag_cache_memory_bytes", "Memory that the cache uses.", memory["used_memory"])
    yield GaugeMetricFamily("dbrag_cache_memory_limit_bytes", "And may use; 0: no limit.", memory["maxmemory"])
    yield CounterMetricFamily(
        "dbrag_cache_evicted", "Keys that the cache dropped since it was full.", stats["evicted_keys"]
    )


def _governor(url: str, settings: Settings) -> list[Metric] | None:
    shared = SharedBudgets(url, settings)
    try:
        answer = shared.all()
    finally:
        shared.close()
    if answer is None:
        return None
    now_ms, budgets = answer
    left = GaugeMetricFamily(
        "dbrag_governor_left", "What may be sent now; a debt is negative.", labels=["model", "kind"]
    )
    limit = GaugeMetricFamily("dbrag_governor_limit", "What the provider allows in a period.", labels=["model", "kind"])
    known = {*settings.models, settings.chat_model}  # users may name any
    for model, budget in budgets.items():
        if model not in known:
            continue
        for kind, bucket in budget.left(now_ms).items():
            left.add_metric([model, kind], bucket.level)
            limit.add_metric([model, kind], bucket.limit)
    return [left, limit]
