"""What Prometheus is told: counts of requests, summed over the gunicorn workers of this machine, and the recall."""

import os
from collections.abc import Iterator

import psycopg
from flask import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from api.process import runtime
from dbrag.telemetry import pools
from dbrag.vectors import probes
from dbrag.vectors.model import AnsweredBy

REQUESTS = Counter("dbrag_http_requests", "HTTP requests answered.", ["method", "route", "status"])
SECONDS = Histogram("dbrag_http_request_seconds", "Time to answer an HTTP request.", ["route"])
SEARCH_SECONDS = Histogram(
    "dbrag_search_seconds",
    "Time to answer a search: from the index, exactly since the index came back short, or from the cache.",
    ["by"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
UNCOUNTED = Counter(
    "dbrag_rate_limit_unavailable", "Requests let through uncounted, since the cache's Redis was away, by each limit."
)
# Longer than a database that is well needs, shorter than Prometheus waits.
TIMEOUT_S = 2.0


def count(method: str, route: str, status: int, seconds: float) -> None:
    """Notes an answered request."""
    REQUESTS.labels(method, route, status).inc()
    SECONDS.labels(route).observe(seconds)


def count_search(by: AnsweredBy, seconds: float) -> None:
    """Notes an answered search."""
    SEARCH_SECONDS.labels(by).observe(seconds)


def show() -> Response:
    """The view of /metrics."""
    counts = REGISTRY
    pools.count(runtime().pool)
    # deploy/gunicorn.conf.py sets it; prometheus_client then keeps the counts of all workers in files there.
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        counts = CollectorRegistry()
        MultiProcessCollector(counts)
    recall = CollectorRegistry()
    recall.register(_Recall())
    return Response(generate_latest(counts) + generate_latest(recall), content_type=CONTENT_TYPE_LATEST)


class _Recall(Collector):
    """The recall as it was last probed, the same whichever process is asked; nothing while the database is away."""

    def collect(self) -> Iterator[Metric]:
        try:
            with runtime().pool.connection(timeout=TIMEOUT_S) as conn:
                conn.execute("SET LOCAL statement_timeout = '2s'")
                found = probes.summary(conn)
        except psycopg.Error:
            return
        yield GaugeMetricFamily("dbrag_recall_probed_generations", "Serving indexes that were probed.", found.probed)
        yield GaugeMetricFamily("dbrag_recall_below_floor", "Of these, how many are below their floor.", found.below)
        if found.lowest is not None:
            yield GaugeMetricFamily("dbrag_recall_lowest", "The lowest recall@10 among them.", found.lowest)
