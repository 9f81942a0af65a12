"""When a job is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from dbrag.jobs.retry import FIRST_DELAY_S, LONGEST_DELAY_S, delay_s


def test_delays_double_up_to_the_longest() -> None:
    assert [delay_s(attempt, spread=1) for attempt in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


@given(st.integers(1, 10**6))
def test_no_delay_is_near_zero_or_endless(attempt: int) -> None:
    assert 0.75 * FIRST_DELAY_S <= delay_s(attempt) <= 1.25 * LONGEST_DELAY_S
