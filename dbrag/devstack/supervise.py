"""Starts again what ended by itself, as whatever runs the processes in production does."""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dbrag.devstack.process import Process

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
HEALTHY_S = 60.0
"""Whoever ran so long before it ended starts over with the first pause."""


@dataclass(slots=True)
class Record:
    """How often a process ended soon after its start, when it started last, and when it may start again."""

    since: float
    failures: int = 0
    due: float | None = None


class Supervisor:
    """Tends running processes. Calls `changed` whenever one has ended or was started again."""

    def __init__(self, processes: Iterable[Process], changed: Callable[[], None]) -> None:
        self._records = {process.spec.name: (process, Record(time.monotonic())) for process in processes}
        self._changed = changed

    def tend(self) -> None:
        """Look once at each process."""
        now = time.monotonic()
        for process, record in self._records.values():
            if record.due is not None and now >= record.due:
                self._start(process, record, now)
            elif record.due is None and not process.running:
                self._plan(process, record, now)

    def _plan(self, process: Process, record: Record, now: float) -> None:
        record.failures = 0 if now - record.since > HEALTHY_S else record.failures
        wait_s = pause_s(record.failures)
        record.failures, record.due = record.failures + 1, now + wait_s
        print(
            f"{process.farewell()}. Starting it again in {wait_s:g} s; see {process.log}", file=sys.stderr, flush=True
        )
        process.reap()
        self._changed()

    def _start(self, process: Process, record: Record, now: float) -> None:
        record.due, record.since = None, now
        try:
            process.spawn()
        except OSError as exc:  # no memory, or its program is gone: another try may help
            print(f"{process.spec.name} cannot be started: {exc}", file=sys.stderr, flush=True)
            return
        self._changed()


def pause_s(failures: int) -> float:
    """Seconds to wait before another start, after so many short lives."""
    return min(FIRST_PAUSE_S * 2 ** min(failures, 10), LONGEST_PAUSE_S)
