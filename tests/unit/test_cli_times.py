"""Times as people type them."""

from datetime import UTC, datetime, timedelta

import pytest

from dbrag.cli.times import duration, instant
from dbrag.errors import Invalid

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", NOON - timedelta(seconds=90)),
        ("30m", NOON - timedelta(minutes=30)),
        ("2h", NOON - timedelta(hours=2)),
        (" 7 d ", NOON - timedelta(days=7)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T08:00:00Z", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20T08:00:00+02:00", datetime(2026, 11, 20, 6, tzinfo=UTC)),
    ],
)
def test_an_age_or_a_time_is_an_instant(text: str, expected: datetime) -> None:
    assert instant(text, NOON) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2", "2w", "-2h", "2026-13-01"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(Invalid, match="30m, 2h"):
        instant(text, NOON)


def test_a_duration_has_a_unit() -> None:
    assert duration("12h") == timedelta(hours=12)
    assert duration("0s") == timedelta()


@pytest.mark.parametrize("text", ["", "soon", "7", "2026-11-20", "-2h"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(Invalid, match="2h or 7d"):
        duration(text)
