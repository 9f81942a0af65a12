"""What may be sent to a model now: buckets of requests and of tokens, and the pause after a 429. Pure arithmetic.

`governor.lua` does the same inside Redis, for all processes together; here it is for one that is alone. A test runs
both with the same orders and compares.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, Literal, Self, TypeAlias

import orjson

Kind: TypeAlias = Literal["requests", "tokens"]
KINDS: tuple[Kind, Kind] = ("requests", "tokens")
Amounts: TypeAlias = Mapping[Kind, float]
Verb: TypeAlias = Literal["take", "count", "learn", "pause"]

SLOW_MS = 10_000
SPACING_MS = 250
"""Where no limit is known, requests are sent so far apart for `SLOW_MS` after a pause: else all would come at once."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests or tokens in `period_s`. `learned` from the provider, whose word goes before the settings'."""

    limit: float
    period_s: float = 60.0
    learned: bool = False

    def share(self, parts: int) -> "Limit":
        """One of so many equal parts."""
        return Limit(self.limit / parts, self.period_s, self.learned)


Limits: TypeAlias = Mapping[Kind, Limit]


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer says: the limit in `period_s`, and that at `most` so much of it can be left now."""

    limit: float
    period_s: float
    most: float

    def share(self, parts: int) -> "Said":
        """One of so many equal parts."""
        return Said(self.limit / parts, self.period_s, self.most / parts)


@dataclass(slots=True)
class Bucket:
    """`level` is what is left; it refills evenly, to `limit` in `period_s`. Negative after more than was left."""

    limit: float
    period_s: float
    learned: bool
    level: float

    def as_limit(self) -> Limit:
        """Its limit alone."""
        return Limit(self.limit, self.period_s, self.learned)

    def refill(self, seconds: float) -> None:
        """So much time has passed."""
        self.level = min(self.limit, self.level + self.limit * seconds / self.period_s)

    def wait_ms(self, amount: float) -> int:
        """Until `amount` is there; more than the whole bucket passes when it is full, and leaves a debt."""
        missing = min(amount, self.limit) - self.level
        return max(0, ceil(missing * self.period_s * 1000 / self.limit - 1e-6))


@dataclass(slots=True)
class Budget:
    """Of one model, as of `at_ms`. A kind without a bucket has no limit. All times are of one clock, in milliseconds.

    Every order begins with `advance`.
    """

    at_ms: int
    paused_until_ms: int = 0
    slow_until_ms: int = 0
    buckets: dict[Kind, Bucket] = field(default_factory=dict[Kind, Bucket])

    @classmethod
    def parse(cls, json: bytes) -> Self:
        """From what governor.lua stores."""
        fields: dict[str, Any] = orjson.loads(json)
        fields["buckets"] = {kind: Bucket(**bucket) for kind, bucket in fields["buckets"].items()}
        return cls(**fields)

    def advance(self, now_ms: int, limits: Limits, start: float) -> None:
        """Refill. Buckets that the provider said nothing of get the `limits`; new ones begin with a share of `start`.

        `start` is 0 or 1: empty where this process knows that the bucket was there and went, full at the first start.
        """
        for kind in KINDS:
            bucket = self.buckets.get(kind)
            if not (bucket and bucket.learned):
                bucket = _adopt(bucket, limits.get(kind), start)
            if bucket:
                bucket.refill(max(0, now_ms - self.at_ms) / 1000)
                self.buckets[kind] = bucket
            else:
                self.buckets.pop(kind, None)
        self.at_ms = max(self.at_ms, now_ms)

    def obey(self, now_ms: int, verb: Verb, order: Any) -> int:
        """The method of that name, as governor.lua does it: the milliseconds to wait, 0 except from `take`."""
        match verb:
            case "take":
                return self.take(now_ms, order)
            case "count":
                self.count(order)
            case "learn":
                self.learn(order)
            case "pause":
                self.pause(now_ms, order["ms"])
        return 0

    def take(self, now_ms: int, amounts: Amounts) -> int:
        """0 and the amounts are spent, or the milliseconds after which to ask again and nothing is."""
        waits = [bucket.wait_ms(amounts[kind]) for kind, bucket in self.buckets.items()]
        wait_ms = max(0, self.paused_until_ms - now_ms, *waits)
        if wait_ms == 0:
            for kind, bucket in self.buckets.items():
                bucket.level -= amounts[kind]
            if not self.buckets and now_ms < self.slow_until_ms:
                self.paused_until_ms = now_ms + SPACING_MS
        return wait_ms

    def count(self, amounts: Amounts) -> None:
        """Spend without asking, into a debt of one bucket at most: what is beyond it the provider has refused."""
        for kind, bucket in self.buckets.items():
            bucket.level = max(bucket.level - amounts[kind], min(bucket.level, -bucket.limit))

    def learn(self, said: Mapping[Kind, Said]) -> None:
        """Take over the provider's limits; what is left is only ever lowered.

        What it says is old: it has not yet seen requests that are under way, and we have counted them.
        """
        for kind, word in said.items():
            bucket = self.buckets.get(kind)
            level = min(bucket.level, word.most) if bucket else word.most
            self.buckets[kind] = Bucket(word.limit, word.period_s, True, level)

    def pause(self, now_ms: int, pause_ms: int) -> None:
        """Nobody sends for so long, and then the buckets are empty: they refill from the end of the pause on."""
        self.paused_until_ms = max(self.paused_until_ms, now_ms + pause_ms)
        self.slow_until_ms = self.paused_until_ms + SLOW_MS
        self.at_ms = self.paused_until_ms
        for bucket in self.buckets.values():
            bucket.level = min(bucket.level, 0)

    def left(self, now_ms: int) -> dict[Kind, Bucket]:
        """The buckets as they will be then; the budget itself stays as it is."""
        buckets: dict[Kind, Bucket] = {kind: replace(bucket) for kind, bucket in self.buckets.items()}
        for bucket in buckets.values():
            bucket.refill(max(0, now_ms - self.at_ms) / 1000)
        return buckets

    def paused_s(self, now_ms: int) -> float:
        """Seconds that the pause still lasts."""
        return max(0, self.paused_until_ms - now_ms) / 1000


def _adopt(bucket: Bucket | None, limit: Limit | None, start: float) -> Bucket | None:
    if limit is None:
        return None
    level = min(bucket.level if bucket else start * limit.limit, limit.limit)
    return Bucket(limit.limit, limit.period_s, limit.learned, level)
