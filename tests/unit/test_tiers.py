"""Which segments are merged."""

from itertools import count
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbrag.vectors.tiers import FAN_OUT, Sized, next_merge

CAP = 500_000
SHARE = 0.2


@pytest.mark.parametrize(
    ("segments", "merged"),
    [
        ([], []),
        ([Sized(1, 2500, 0)], []),
        ([Sized(n, 2500, 0) for n in range(3)], []),
        ([Sized(n, 2500, 0) for n in range(5)], [0, 1, 2, 3]),
        ([Sized(1, 10_000, 0), *(Sized(n, 2500 + n, 0) for n in (5, 4, 3, 2))], [2, 3, 4, 5]),
        ([Sized(n, 160_000, 0) for n in range(4)], [0, 1, 2]),
        ([Sized(n, 300_000, 0) for n in range(9)], []),
        ([Sized(n, 900_000, 0) for n in range(9)], []),
        ([Sized(1, 2500, 499)], []),
        ([Sized(1, 2500, 500)], [1]),
        ([Sized(1, 2500, 500), Sized(2, 90_000, 40_000)], [2]),
        ([Sized(n, 2500, 1000) for n in range(4)], [0, 1, 2, 3]),
        ([Sized(1, 0, 0)], []),
        ([Sized(1, 10, 12)], [1]),
    ],
)
def test_the_smallest_of_a_full_tier_are_merged_and_what_has_rotted_is_rewritten(
    segments: list[Sized], merged: list[int]
) -> None:
    assert next_merge(segments, CAP, SHARE) == merged


def settle(segments: list[Sized], ids: "count[int]", cap: int, share: float = SHARE) -> list[tuple[list[Sized], Sized]]:
    """Applies the policy until nothing is left to do; returns what was merged into what."""
    done: list[tuple[list[Sized], Sized]] = []
    while merged := next_merge(segments, cap, share):
        assert len(done) < 10_000, "it does not end"
        old = [segment for segment in segments if segment.id in merged]
        assert len(old) == len(merged)
        new = Sized(next(ids), sum(segment.live_rows for segment in old), 0)
        segments[:] = [segment for segment in segments if segment.id not in merged] + [new]
        done.append((old, new))
    return done


@given(
    seals=st.integers(1, 600), rows=st.integers(100, 5000), cap=st.integers(1000, 1_000_000), dead=st.integers(0, 20)
)
@settings(deadline=None, max_examples=60)
def test_segments_of_one_size_end_in_few_that_are_rewritten_seldom(seals: int, rows: int, cap: int, dead: int) -> None:
    ids = count(seals)
    segments: list[Sized] = []
    rewrites: dict[int, int] = {}
    for id_ in range(seals):
        segments.append(Sized(id_, rows, rows * dead // 100))
        rewrites[id_] = 0
        for old, new in settle(segments, ids, cap):
            assert new.rows <= cap or len(old) == 1
            rewrites[new.id] = 1 + max(rewrites[segment.id] for segment in old)
    tiers = 2 + log(max(2, min(cap, seals * rows)), FAN_OUT)
    beyond = [segment for segment in segments if segment.rows * 2 > cap]  # no two of these fit into one
    assert len(beyond) <= 1 + 2 * seals * rows / cap
    assert len(segments) - len(beyond) <= (FAN_OUT - 1) * tiers
    assert max(rewrites.values()) <= 2 * tiers


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=60),
    st.integers(1000, 10**6),
    st.floats(0.01, 0.99),
)
@settings(deadline=None)
def test_it_ends_and_nothing_rotten_remains(sizes: list[tuple[int, int]], cap: int, share: float) -> None:
    segments = [Sized(id_, rows, min(rows, dead)) for id_, (rows, dead) in enumerate(sizes)]
    live = sum(segment.live_rows for segment in segments)
    for old, new in settle(segments, count(len(sizes)), cap, share):
        assert new.rows <= cap or len(old) == 1
    assert sum(segment.live_rows for segment in segments) == live
    assert all(segment.dead_rows < share * segment.rows or not segment.dead_rows for segment in segments)
