"""How pages spell times, amounts and states: the filters of the templates."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from dbrag.jobs.model import ItemStatus, Status

TONES = {
    Status.SUCCEEDED: "good",
    Status.COMPLETED_WITH_ERRORS: "warning",
    Status.FAILED: "bad",
    Status.HELD: "warning",
    Status.RETRYING: "warning",
    Status.RUNNING: "busy",
    ItemStatus.EMBEDDING: "busy",
    ItemStatus.COMPLETED: "good",
}


def duration(seconds: float) -> str:
    """A span of time in its largest unit: `3 min`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def ago(at: datetime) -> str:
    """How long ago it was."""
    return f"{duration((datetime.now(UTC) - at).total_seconds())} ago"


def moment(at: datetime) -> str:
    """A point in time, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def day(at: datetime) -> str:
    """A day, in UTC as usage counts days."""
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def usd(amount: float) -> str:
    """A price in dollars; small ones in full, as most are."""
    digits = 2 if amount == 0 or amount >= 0.01 else 8
    return f"${amount:,.{digits}f}" if digits == 2 else f"${amount:.{digits}f}".rstrip("0")


def number(amount: float) -> str:
    """A count, its thousands apart."""
    return f"{amount:,}"


def spelled(name: str) -> str:
    """A state as words: `completed with errors`."""
    return name.replace("_", " ")


def tone(status: Status | ItemStatus) -> str:
    """The class of a state's colour."""
    return TONES.get(status, "calm")


FILTERS: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (duration, ago, moment, day, usd, number, spelled, tone)
}
