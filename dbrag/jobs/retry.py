"""When to try again, as pure values."""

import random

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 60.0


def delay_s(attempt: int, spread: float | None = None) -> float:
    """Seconds to wait after the `attempt`-th failure (1 is the first): doubling, then spread over ±25 %.

    Spread, so that what failed together does not come back together; never near zero, so that a short outage does not
    use up all attempts (Celery's own jitter starts at 0 and spent four tries in three seconds).
    """
    delay = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(attempt - 1, 10))
    return delay * (random.uniform(0.75, 1.25) if spread is None else spread)  # noqa: S311 - no secret
