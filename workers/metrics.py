"""Where a worker serves its metrics, and when its children count what their pools did."""

from contextlib import ExitStack
from typing import Any

from celery import signals

from dbrag.errors import Permanent
from dbrag.settings import Settings
from dbrag.telemetry import pools
from dbrag.telemetry.serving import served
from workers import counts, process

_serving = ExitStack()


@signals.worker_init.connect
def serve(**_: Any) -> None:
    """In the main process, before the pool forks. Ends a worker with 1 whose address is taken."""
    address = Settings().worker_metrics_address  # pyright: ignore[reportCallIssue] - from the environment
    if address is None:
        return
    try:
        _serving.enter_context(served(address, counts.registry(), "DBRAG_WORKER_METRICS"))
    except Permanent as exc:
        raise SystemExit(f"dbrag refuses to start this worker: {exc}.") from exc


@signals.worker_shutdown.connect
def stop(**_: Any) -> None:
    """At the end, so that it can be seen while it drains."""
    _serving.close()


@signals.task_postrun.connect
def count_connections(**_: Any) -> None:
    """In the child, after each task."""
    pools.count(process.runtime().pool)
