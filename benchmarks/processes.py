"""What the processes of a stack cost: CPU seconds and memory, read from the operating system."""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import psutil

OWN = "dbrag"
SAMPLE_EVERY_S = 0.5
GROUPS = {"postgres": "PostgreSQL", "redis-broker": "Redis", "redis-cache": "Redis"}
"""Whose cost a process is, by its name in the stack; all others are dbrag's own: API, workers, relay, beat."""


class Reading(NamedTuple):
    """One process now; `cpu_s` includes its children that have ended."""

    name: str
    is_root: bool
    cpu_s: float
    mb: float

    @property
    def group(self) -> str:
        """Whose cost it is."""
        return GROUPS.get(self.name, OWN)


@dataclass
class Meter:
    """Reads the processes of `pids` (name → process id) with all their descendants."""

    pids: Mapping[str, int]
    peak_worker_child_mb: float = 0.0
    peak_mb: float = 0.0
    _before: dict[str, float] = field(default_factory=dict[str, float])
    _sampled_at: float = 0.0

    def start(self) -> None:
        """CPU seconds and peaks count from here."""
        self._before = self._cpu_s()
        self.peak_worker_child_mb = self.peak_mb = 0.0

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds since `start`, by group."""
        return {group: seconds - self._before[group] for group, seconds in self._cpu_s().items()}

    def sample_memory(self) -> None:
        """Call it now and then: it keeps the peaks of one worker's child, and of all of dbrag's together (MiB)."""
        if time.monotonic() < self._sampled_at + SAMPLE_EVERY_S:  # looking costs 20 ms of a core, which others need
            return
        self._sampled_at = time.monotonic()
        own = [reading for reading in self._readings() if reading.group == OWN]
        children = [reading.mb for reading in own if reading.name.startswith("worker") and not reading.is_root]
        self.peak_worker_child_mb = max(self.peak_worker_child_mb, *children, 0.0)
        self.peak_mb = max(self.peak_mb, sum(reading.mb for reading in own))

    def _cpu_s(self) -> dict[str, float]:
        seconds = dict.fromkeys([OWN, *GROUPS.values()], 0.0)
        for reading in self._readings():
            seconds[reading.group] += reading.cpu_s
        return seconds

    def _readings(self) -> Iterator[Reading]:
        for name, pid in self.pids.items():
            root = psutil.Process(pid)
            for process in [root, *root.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):  # ended since it was listed
                    times = process.cpu_times()
                    cpu_s = times.user + times.system + times.children_user + times.children_system
                    yield Reading(name, process == root, cpu_s, process.memory_info().rss / 2**20)
