"""Which segments to merge next, or to rewrite: the policy, pure."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import takewhile
from typing import NamedTuple

# Segments of a tier that are merged into one of the next. Each tier costs a row one more build of its graph, and a
# search up to FAN_OUT - 1 more segments: 4 builds a row log4(n) times. With 2 it would be built twice as often, for two
# segments less in a tier; with 8, searches would walk up to seven graphs a tier.
FAN_OUT = 4
# While texts are on their way, which need the cores more than a merge does, a tier may grow to so many: as many graphs
# are walked in a search then, some 2 ms each.
FAN_OUT_BUSY = 16


class Sized(NamedTuple):
    """An indexed segment: the rows it was built with, and how many of them are gone since."""

    id: int
    rows: int
    dead_rows: int

    @property
    def live_rows(self) -> int:
        return max(0, self.rows - self.dead_rows)


def next_merge(segments: Collection[Sized], rows_at_most: int, dead_share: float, at_least: int = FAN_OUT) -> list[int]:
    """The segments that should become one: several to be merged, one to be rewritten; none where all is well.

    `rows_at_most` bounds what a merge makes, in live rows; `dead_share` is the share of dead rows from which a segment
    is rewritten; a tier is merged once it has `at_least` segments. Tiers are powers of FAN_OUT of the live rows: a
    merge lifts its rows into a higher one, so that each row is rewritten once a tier, and few segments remain in each.
    """
    tiers: defaultdict[int, list[Sized]] = defaultdict(list)
    for segment in sorted(segments, key=lambda segment: (segment.live_rows, segment.id)):
        tiers[_tier(segment.live_rows)].append(segment)
    for tier in sorted(tiers):
        if len(tiers[tier]) >= at_least and len(fitting := _fitting(tiers[tier], rows_at_most)) > 1:
            return [segment.id for segment in fitting]
    rotten = [segment for segment in segments if segment.dead_rows and segment.dead_rows >= dead_share * segment.rows]
    return [max(rotten, key=lambda segment: segment.dead_rows).id] if rotten else []


def _tier(rows: int) -> int:
    tier = 0
    while rows >= FAN_OUT ** (tier + 1):
        tier += 1
    return tier


def _fitting(segments: Sequence[Sized], rows_at_most: int) -> list[Sized]:
    """The smallest FAN_OUT of them, as far as they fit together."""
    total = 0

    def fits(segment: Sized) -> bool:
        nonlocal total
        total += segment.live_rows
        return total <= rows_at_most

    return list(takewhile(fits, segments[:FAN_OUT]))
