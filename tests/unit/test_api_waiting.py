"""`Prefer: wait=N` as it is read."""

import pytest

from api.waiting import preferred_s


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("wait=5", 5),
        ("Wait = 5", 5),
        ('wait="5"', 5),
        ("respond-async, wait=10", 10),
        ("respond-async; wait=10", 10),
        ("wait=31", 30),
        ("wait=999999999999", 30),
        ("wait=-5", 0),
        ("wait=soon", 0),
        ("await=5", 0),
    ],
)
def test_the_preference_is_read_as_rfc_7240_writes_it(prefer: str | None, seconds: float) -> None:
    assert preferred_s(prefer) == seconds
