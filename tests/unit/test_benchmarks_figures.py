"""Percentiles and recall."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import percentile, recall

values = st.lists(st.floats(0, 1e6), min_size=1, max_size=200)


@pytest.mark.parametrize(("percent", "expected"), [(1, 1), (50, 50), (95, 95), (99, 99), (99.5, 100), (100, 100)])
def test_percentiles_of_one_to_a_hundred(percent: float, expected: float) -> None:
    assert percentile(range(100, 0, -1), percent) == expected


@given(values, st.sampled_from([50, 95, 99, 100]))
def test_a_percentile_is_the_one_that_numpy_counts_off(values: list[float], percent: float) -> None:
    assert percentile(values, percent) == np.percentile(values, percent, method="inverted_cdf")


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@pytest.mark.parametrize(
    ("found", "share"),
    [
        ([0, 1, 2, 3], 1.0),
        ([3, 2, 1, 0], 1.0),  # the order among them is not what recall is about
        ([0, 1, 2, 9], 0.75),
        ([50, 0, 1, 60], 1.0),  # two that came later, and the two nearest of those known
        ([50, 0, 2, 60], 0.5),  # a known one that was nearer is missing
        ([50, 60], None),
        ([], None),
    ],
)
def test_recall_is_judged_by_the_rows_that_are_known(found: list[int], share: float | None) -> None:
    assert recall(found, nearest=[0, 1, 2, 3, 4], known=range(10)) == share
