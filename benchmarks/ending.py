"""A benchmark that is told to stop (`timeout`, a service manager) ends what it has started, as on Ctrl-C."""

import signal
import sys
from types import FrameType


def end_on_sigterm() -> None:
    """Make SIGTERM leave all `with` blocks, instead of ending this process alone."""
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
