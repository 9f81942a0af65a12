"""A worker's metrics: its children count in files, and its main process serves the sums.

A file belongs to a place in the pool, not to a process: the child that takes the place of one that has ended counts
on, so there are never more files than places, and nobody has to sum up the dead.
"""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import prometheus_client.values
from billiard.process import active_children, current_process  # pyright: ignore[reportMissingTypeStubs] - it has none
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# As for gunicorn (deploy/gunicorn.conf.py): in memory, where no disk can stall whoever counts.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - only a private folder is made there
# Of this container's cgroup; the root of all has none.
MEMORY_EVENTS = Path("/sys/fs/cgroup/memory.events")


def prepare() -> None:
    """To be called before anything counts, since prometheus_client decides at the first count where it is kept.

    Only in a worker that serves its metrics: the API has its own folder, beat and Flower count nothing.
    """
    if "worker" not in sys.argv or "DBRAG_WORKER_METRICS" not in os.environ or FOLDER in os.environ:
        return
    os.environ[FOLDER] = tempfile.mkdtemp(prefix="dbrag-metrics-", dir=MEMORY)
    prometheus_client.values.ValueClass = prometheus_client.values.MultiProcessValue(_place)  # pyright: ignore[reportAttributeAccessIssue] - as prometheus_client's docs do
    atexit.register(_forget, os.environ[FOLDER], os.getpid())


def registry() -> CollectorRegistry:
    """What all children together have counted, and what the main process knows of them."""
    found = CollectorRegistry()
    MultiProcessCollector(found)
    found.register(Children())
    return found


class Children(Collector):
    """The children of this process: how many, their memory, and how many the kernel has killed for want of it."""

    def collect(self) -> Iterator[Metric]:
        sizes = [size for child in active_children() if (size := _resident_bytes(child.pid)) is not None]
        yield GaugeMetricFamily("dbrag_worker_children", "Children of this worker.", len(sizes))
        memory = GaugeMetricFamily("dbrag_worker_memory_bytes", "Their resident memory.", labels=["of"])
        memory.add_metric(["all"], sum(sizes))
        memory.add_metric(["largest"], max(sizes, default=0))
        yield memory
        with suppress(OSError):  # no cgroup of version 2, or its root
            events = dict(line.split() for line in MEMORY_EVENTS.read_text().splitlines())
            text = "Processes of this container that the kernel killed for want of memory."
            yield CounterMetricFamily("dbrag_worker_memory_kills", text, int(events.get("oom_kill", 0)))


def _place() -> str:
    index: Any = getattr(current_process(), "index", None)
    return "main" if index is None else f"child{index}"


def _resident_bytes(pid: int) -> int | None:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):  # it has just ended
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _forget(folder: str, pid: int) -> None:
    if os.getpid() == pid:  # not in a child
        shutil.rmtree(folder, ignore_errors=True)
