"""What the provider's headers say of its limits."""

import httpx
import pytest

from dbrag.embedding.budget import Said
from dbrag.embedding.limits import said


def headers(kind: str, limit: str, remaining: str | None = None, reset: str | None = None) -> dict[str, str]:
    names = {"limit": limit, "remaining": remaining, "reset": reset}
    return {f"x-ratelimit-{name}-{kind}": value for name, value in names.items() if value is not None}


@pytest.mark.parametrize(
    ("answer", "most", "period_s"),
    [
        (headers("tokens", "1000000", "999990", "0s"), 999_990, 60),
        (headers("tokens", "1000000", "715000", "17.1s"), 715_000, 60),
        (headers("tokens", "1000", "0", "1m0s"), 0, 60),
        (headers("tokens", " 1000 ", "-1"), 1000, 60),
        (headers("tokens", "1000", "2000"), 1000, 60),
        (headers("tokens", "1000"), 1000, 60),
        (headers("tokens", "10000", "9999", "8.64s"), 9999, 86_400),
        (headers("tokens", "14400", "14370", "2m59.56s"), 14_370, 86_400),
        (headers("tokens", "100", "0", "24h0m0s"), 0, 86_400),
        (headers("tokens", "3000", "2999", "59s"), 2999, 60),
    ],
)
def test_a_limit_is_a_minutes_unless_it_comes_back_like_a_days(
    answer: dict[str, str], most: float, period_s: float
) -> None:
    word = said(answer)["tokens"]
    assert (word.most, word.period_s) == (most, period_s)


@pytest.mark.parametrize("limit", ["", "0", "-1", "unlimited", "1.5", "9" * 13, "٣"])
def test_a_limit_that_is_none_says_nothing(limit: str) -> None:
    assert said(headers("requests", limit, "5")) == {}


def test_names_are_read_in_any_case() -> None:
    answer = httpx.Headers({"X-RateLimit-Limit-Requests": "60", "X-Ratelimit-Remaining-Requests": "7"})
    assert said(answer) == {"requests": Said(60, 60, 7)}
