"""Times as people type them."""

from datetime import UTC, datetime, timedelta

import pytest

from dbrag.cli.times import instant
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
