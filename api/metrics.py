"""Counts of requests for Prometheus, summed over the gunicorn workers of this machine."""

import os

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("dbrag_http_requests", "HTTP requests answered.", ["method", "route", "status"])
SECONDS = Histogram("dbrag_http_request_seconds", "Time to answer an HTTP request.", ["route"])


def count(method: str, route: str, status: int, seconds: float) -> None:
    """Notes an answered request."""
    REQUESTS.labels(method, route, status).inc()
    SECONDS.labels(route).observe(seconds)


def show() -> Response:
    """The view of /metrics."""
    registry = REGISTRY
    # deploy/gunicorn.conf.py sets it; prometheus_client then keeps the counts of all workers in files there.
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
