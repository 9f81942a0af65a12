"""How many texts go into one request to the provider, and whose the bill is."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

BYTES_PER_TOKEN = 4
"""OpenAI checks its limit for a whole request against a quarter of a token a byte, not against the tokens it bills
(timescale/pgai#730: 200,000 real tokens in 1.5 million bytes are refused)."""

HEADROOM = 0.05
"""Part of a request's tokens left unused, because other providers' tokenizers count a little more than ours (two more
a text for BERT's). It costs nothing, while a refused request is sent again in halves."""


PATIENT_DEFERRALS = 3

GIVEN_UP_AFTER = 10
"""Failures (some 5 minutes) after which a text that is alone in its request may be to blame, if its job is old."""


def estimate_tokens(text: str, counted: int) -> int:
    """What `text` weighs in a request: its `counted` tokens, or the provider's own estimate where that is more."""
    return max(counted, -(-len(text.encode()) // BYTES_PER_TOKEN))


def take(tokens: Sequence[int], max_inputs: int, max_tokens: int) -> int:
    """How many of the texts that weigh `tokens`, from the first on, go into one request.

    At least one (a text too large for any request must be sent to learn why it is refused), none only if there is none.
    """
    totals = list(accumulate(tokens[:max_inputs]))
    return min(len(totals), max(1, bisect_right(totals, max_tokens * (1 - HEADROOM))))


def inputs_after(deferrals: int, max_inputs: int) -> int:
    """How many texts to ask for together after they were put off so often: halved each time from the fourth on.

    A text that its provider or its worker cannot survive ends up alone, and the others go on.
    """
    return max(1, max_inputs >> min(max(0, deferrals - PATIENT_DEFERRALS), 31))


def share(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` (a request's billed tokens) in proportion to `weights`, by largest remainder; the parts sum to it.

    Equal parts where all weights are 0. Of equal remainders the first wins, so the same request splits the same way.
    """
    if not any(weights):
        weights = [1] * len(weights)
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: total * weights[i] % whole, reverse=True)
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts
