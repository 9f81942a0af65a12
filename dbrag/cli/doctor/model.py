"""What the doctor examines, and what an examination finds."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from dbrag.cli.address import Address
from dbrag.settings import Settings

# How long a server may take to answer before it counts as unreachable.
TIMEOUT_S = 3


class Mark(StrEnum):
    OK = "✓"
    WRONG = "✗"
    SKIPPED = "–"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen; `remedy` says what to do about it."""

    mark: Mark
    seen: str
    remedy: str = ""


def ok(seen: str) -> Finding:
    return Finding(Mark.OK, seen)


def wrong(seen: str, remedy: str = "") -> Finding:
    return Finding(Mark.WRONG, seen, remedy)


def skipped(why: str) -> Finding:
    return Finding(Mark.SKIPPED, why)


@dataclass(frozen=True, slots=True)
class Check:
    """One look at something; `needs` names the checks without which it makes no sense."""

    name: str
    look: Callable[[], Finding]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined: either part is the reason (a sentence) where it is not known."""

    settings: Settings | str
    address: Address | str
