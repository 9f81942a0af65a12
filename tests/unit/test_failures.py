"""How long the provider asks to wait; what its answers mean is tested over HTTP in integration/test_provider.py."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from dbrag.embedding.failures import retry_after_s


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"x-ratelimit-reset-requests": "120ms", "x-ratelimit-reset-tokens": "1m2.5s"}, 60.0),
        ({"x-ratelimit-reset-requests": "120ms", "x-ratelimit-reset-tokens": "0s"}, 0.12),
        ({"x-ratelimit-reset-requests": "0s"}, None),
        ({"retry-after": "3", "x-ratelimit-reset-tokens": "40s"}, 3.0),
    ],
)
def test_the_wait_is_what_the_headers_say(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def test_the_wait_may_be_a_date() -> None:
    soon = datetime.now(UTC) + timedelta(minutes=10)
    assert retry_after_s({"retry-after": format_datetime(soon, usegmt=True)}) == pytest.approx(600, abs=30)
