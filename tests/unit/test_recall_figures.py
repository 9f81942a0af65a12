"""Recall as a figure, from distances alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbrag.vectors.model import Recall
from dbrag.vectors.recall import EXACT_ROWS, SAMPLES_AT_LEAST, Neighbours, affordable, recall_at_k, summarise


def near(*distances: float, ms: float = 1.0) -> Neighbours:
    return Neighbours(list(distances), ms)


@pytest.mark.parametrize(
    ("found", "exact", "recall"),
    [
        ([], [], 1.0),
        ([near()], [near()], 1.0),
        ([near(0.1, 0.2)], [near(0.1, 0.2)], 1.0),
        ([near(0.1, 0.3)], [near(0.1, 0.2)], 0.5),
        ([near(0.1)], [near(0.1, 0.2)], 0.5),
        ([near()], [near(0.1, 0.2)], 0.0),
        ([near(0.2, 0.2)], [near(0.1, 0.2)], 1.0),  # ties: as near as the last one
        ([near(0.1, 0.2, 0.2)], [near(0.1, 0.2)], 1.0),
        ([near(0.1), near(0.5)], [near(0.1), near(0.4)], 0.5),
    ],
)
def test_the_share_of_what_there_is_that_was_found(
    found: list[Neighbours], exact: list[Neighbours], recall: float
) -> None:
    assert recall_at_k(found, exact) == recall


distances = st.lists(st.floats(0, 2), max_size=10).map(lambda some: near(*sorted(some)))


@given(st.lists(st.tuples(distances, distances), max_size=5))
def test_it_is_a_share(pairs: list[tuple[Neighbours, Neighbours]]) -> None:
    assert 0 <= recall_at_k([found for found, _ in pairs], [exact for _, exact in pairs]) <= 1


@given(st.lists(distances, max_size=5))
def test_what_is_exact_has_all(exact: list[Neighbours]) -> None:
    assert recall_at_k(exact, exact) == 1


def test_times_are_summed_up() -> None:
    found = [near(0.1, ms=ms) for ms in range(101)]
    recall = summarise(found, [near(0.1, ms=7)] * 101, 100, 0.9)
    assert (recall.samples, recall.p50_ms, recall.p95_ms, recall.exact_p50_ms) == (101, 50, 95, 7)


@given(st.integers(1, 1000), st.integers(0, 10**9))
def test_exact_scans_are_bounded(samples: int, rows: int) -> None:
    taken = affordable(samples, rows)
    assert 1 <= taken <= samples
    assert taken * rows <= EXACT_ROWS or taken <= SAMPLES_AT_LEAST


def test_a_warning_says_what_would_help() -> None:
    good = Recall(50, 100, 0.95, 0.9, None, 1, 2, 3)
    assert good.warning is None
    needs = Recall(50, 100, 0.85, 0.9, 200, 1, 2, 3)
    assert needs.warning == "recall@10 is 0.85, below the floor of 0.9; an ef_search of 200 would meet it"
    assert "larger m" in (Recall(50, 100, 0.5, 0.9, None, 1, 2, 3).warning or "")
