"""What the stack's tests wait with, and how they see that a process has gone."""

import time
from collections.abc import Callable

import psutil

PATIENCE_S = 60


def wait_until(condition: Callable[[], object]) -> None:
    """Return once `condition` holds. Raises AssertionError after PATIENCE_S seconds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether the process still runs; a zombie has ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
