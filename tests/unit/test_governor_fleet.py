"""Workers under one budget against a provider that counts as OpenAI does, in simulated time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any

import pytest

from dbrag.embedding.budget import Amounts, Budget, Kind, Limit
from dbrag.embedding.limits import said

LIMITS: dict[Kind, Limit] = {"requests": Limit(3000), "tokens": Limit(1_000_000)}
WAY_MS = 50
RUN_MS = 10 * 60_000


@dataclass
class Fleet:
    """`workers` that send requests of `tokens` as soon as they may; `others` use up tokens a minute of the same key."""

    tokens: int
    workers: int
    answer_ms: int
    others: int = 0
    known: dict[Kind, Limit] = field(default_factory=dict[Kind, Limit])
    answered: int = 0
    refused: int = 0

    def run(self) -> None:
        self.budget, self.provider = Budget(0), Budget(0)
        self.events, self.number = list[tuple[int, int, Callable[..., None], tuple[Any, ...]]](), count()
        for _ in range(self.workers):
            self.at(0, self.ask)
        if self.others:
            self.at(0, self.other)
        while self.events and self.events[0][0] < RUN_MS:
            self.now_ms, _, action, args = heappop(self.events)
            action(*args)

    def at(self, now_ms: int, action: Callable[..., None], *args: Any) -> None:
        heappush(self.events, (now_ms, next(self.number), action, args))

    @property
    def amounts(self) -> Amounts:
        return {"requests": 1, "tokens": self.tokens}

    def ask(self) -> None:
        self.budget.advance(self.now_ms, self.known, 1)
        wait_ms = self.budget.take(self.now_ms, self.amounts)
        if wait_ms:
            self.at(self.now_ms + wait_ms, self.ask)
        else:
            self.at(self.now_ms + WAY_MS, self.arrive)

    def arrive(self) -> None:
        self.provider.advance(self.now_ms, LIMITS, 1)
        wait_ms = self.provider.take(self.now_ms, self.amounts)
        headers = dict[str, str]()
        for kind, bucket in self.provider.buckets.items():
            headers[f"x-ratelimit-limit-{kind}"] = str(int(bucket.limit))
            headers[f"x-ratelimit-remaining-{kind}"] = str(max(0, int(bucket.level)))
            headers[f"x-ratelimit-reset-{kind}"] = f"{bucket.wait_ms(bucket.limit)}ms"
        after_ms = WAY_MS if wait_ms else self.answer_ms
        self.at(self.now_ms + after_ms, self.hear, headers, wait_ms)

    def hear(self, headers: dict[str, str], wait_ms: int) -> None:
        self.budget.advance(self.now_ms, self.known, 1)
        self.budget.learn(said(headers))
        if wait_ms:
            self.refused += 1
            self.budget.pause(self.now_ms, wait_ms)
        else:
            self.answered += 1
        self.at(self.now_ms, self.ask)

    def other(self) -> None:
        self.provider.advance(self.now_ms, LIMITS, 1)
        self.provider.take(self.now_ms, {"requests": 1, "tokens": self.others / 60})
        self.at(self.now_ms + 1000, self.other)

    @property
    def used(self) -> float:
        """Part of what the provider would have answered: its limit, and the bucket that was full at first."""
        return self.answered * self.tokens / ((1 + RUN_MS / 60_000) * 1_000_000 - self.others * RUN_MS / 60_000)


@pytest.mark.parametrize("answer_ms", [200, 2000, 20_000])
@pytest.mark.parametrize("tokens", [5000, 50_000, 285_000])
def test_limits_of_the_settings_are_used_up_and_not_passed(tokens: int, answer_ms: int) -> None:
    fleet = Fleet(tokens, 300, answer_ms, known=LIMITS)
    fleet.run()
    assert fleet.refused == 0
    assert fleet.used > 0.93


@pytest.mark.parametrize("answer_ms", [200, 2000, 20_000])
@pytest.mark.parametrize("tokens", [5000, 50_000, 285_000])
def test_limits_that_nobody_told_are_learned_with_few_refusals(tokens: int, answer_ms: int) -> None:
    fleet = Fleet(tokens, 16, answer_ms)
    fleet.run()
    assert fleet.refused <= 16
    assert fleet.used > (0.93 if tokens * 16 > answer_ms * 1000 / 60 else 0.2)  # else 16 workers cannot use them up


@pytest.mark.parametrize("tokens", [5000, 50_000, 285_000])
def test_somebody_else_with_the_same_key_is_noticed(tokens: int) -> None:
    fleet = Fleet(tokens, 16, 2000, others=500_000)
    fleet.run()
    assert fleet.used > 0.93
    assert fleet.refused < 2 * fleet.answered
