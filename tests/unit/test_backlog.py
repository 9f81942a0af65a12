"""When what waits is too much."""

import pytest

from dbrag.jobs.backlog import Waiting

MIB = 1 << 20
BOUND = Waiting(jobs=3, bytes=10 * MIB)


@pytest.mark.parametrize(
    ("waiting", "coming", "excess"),
    [
        (Waiting(), 0, None),
        (Waiting(2, 4 * MIB), 6 * MIB, None),
        (Waiting(3, 0), 0, "3 jobs wait, and 3 may"),
        (Waiting(1, 4 * MIB), 6 * MIB + 1, "4.0 MiB wait, 6.0 MiB would come, and 10.0 MiB may wait"),
        (Waiting(), 11 * MIB, None),
    ],
    ids=["nothing waits", "both just fit", "jobs are full", "bytes do not fit", "alone, anything may come"],
)
def test_more_may_come_until_a_bound_is_reached(waiting: Waiting, coming: int, excess: str | None) -> None:
    assert waiting.beyond(BOUND, coming) == excess
