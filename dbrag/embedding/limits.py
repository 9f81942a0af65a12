"""What a provider's answer says of its limits: the `x-ratelimit-*` headers, as OpenAI means them."""

import re
from collections.abc import Mapping

from dbrag.embedding.budget import KINDS, Kind, Said
from dbrag.embedding.failures import duration_s

MINUTE_S = 60.0
DAY_S = 86_400.0
TOLERANCE = 0.02


def said(headers: Mapping[str, str]) -> dict[Kind, Said]:
    """What `headers` say of requests and of tokens; nothing where they say no usable limit.

    What remained when the request came in is taken for what is left now. That gives away the refill of one answer's
    time, once: from then on the provider has so much more than we think (simulated in unit/test_governor_fleet.py).
    """
    words: dict[Kind, Said] = {}
    for kind in KINDS:
        limit = _count(headers.get(f"x-ratelimit-limit-{kind}"))
        if not limit:
            continue
        remaining = _count(headers.get(f"x-ratelimit-remaining-{kind}"))
        left = limit if remaining is None else min(remaining, limit)
        period_s = _period_s(limit, left, duration_s(headers.get(f"x-ratelimit-reset-{kind}", "")))
        words[kind] = Said(limit, period_s, left)
    return words


def _count(value: str | None) -> int | None:
    """A whole number; some servers send -1, or words."""
    return int(value) if value and re.fullmatch(r"\s*\d{1,12}\s*", value, re.ASCII) else None


def _period_s(limit: int, remaining: int, reset_s: float) -> float:
    """A minute, unless what is used up comes back at the speed of a limit for a day.

    Small accounts have those: of 10,000 requests a day one is used, and `reset` is 8.64s.
    """
    used = limit - remaining
    whole_s = reset_s * limit / used if used else 0.0
    return DAY_S if abs(whole_s - DAY_S) < TOLERANCE * DAY_S else MINUTE_S
