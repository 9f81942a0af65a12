"""Figures out of measurements: percentiles, recall, and the machine they hold for."""

import platform
from collections.abc import Collection, Sequence
from math import ceil

import psutil


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of `values` that `percent` of them do not exceed (nearest rank). Raises ValueError if none."""
    if not values:
        raise ValueError("no values, no percentile")
    return sorted(values)[max(1, ceil(len(values) * percent / 100)) - 1]


def recall(found: Sequence[int], nearest: Sequence[int], known: Collection[int]) -> float | None:
    """The share of what was found that belongs there, among rows that are `known`.

    `nearest` is the exact order of the known rows. Rows of `found` that are not known (they came later) are left out
    on both sides: of the others there should be just the first of `nearest`. None if nothing known was found.
    """
    judged = [row for row in found if row in known]
    if not judged:
        return None
    return len(set(judged) & set(nearest[: len(judged)])) / len(judged)


def machine() -> str:
    """What the figures were measured on, and how busy it has been in the last minute."""
    cores, gib = psutil.cpu_count(), psutil.virtual_memory().total / 2**30
    load = psutil.getloadavg()[0]
    return f"{cores} cores, {gib:.0f} GiB, {platform.platform()}, Python {platform.python_version()}, load {load:.1f}"
