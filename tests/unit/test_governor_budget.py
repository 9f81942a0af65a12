"""The arithmetic of buckets: what is granted, when, and what it never does. integration/test_governor.py has Lua's."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbrag.embedding.budget import SLOW_MS, SPACING_MS, Amounts, Budget, Kind, Limit, Said

LIMITS: dict[Kind, Limit] = {"requests": Limit(60), "tokens": Limit(6000)}
LARGEST = 20_000
steps = st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, LARGEST)), max_size=60)


def one(tokens: float) -> Amounts:
    return {"requests": 1, "tokens": tokens}


def budget(now_ms: int = 0, start: float = 1.0) -> Budget:
    budget = Budget(now_ms)
    budget.advance(now_ms, LIMITS, start)
    return budget


def levels(budget: Budget) -> dict[Kind, float]:
    return {kind: bucket.level for kind, bucket in budget.buckets.items()}


@given(steps)
def test_never_more_than_the_limit_and_one_bucket_is_granted_in_any_window(steps: list[tuple[int, int]]) -> None:
    asked, now_ms, granted = budget(), 0, list[tuple[int, int]]()
    for elapsed_ms, tokens in steps:
        now_ms += elapsed_ms
        asked.advance(now_ms, LIMITS, 0)
        if asked.take(now_ms, one(tokens)) == 0:
            granted.append((now_ms, tokens))
    for i, (begin_ms, _) in enumerate(granted):
        for j in range(i, len(granted)):
            end_ms, last = granted[j]
            window = granted[i : j + 1]
            refilled = (end_ms - begin_ms) / 60_000
            assert len(window) <= 60 * (1 + refilled) + 1e-6
            # Only what is larger than a bucket goes beyond it, alone, and is then waited for.
            beyond = max(0, last - 6000)
            assert sum(tokens for _, tokens in window) <= 6000 * (1 + refilled) + beyond + 1e-6


@given(steps, st.integers(1, LARGEST))
def test_after_the_wait_it_is_granted_to_whoever_asks_first(steps: list[tuple[int, int]], tokens: int) -> None:
    asked, now_ms = budget(), 0
    for elapsed_ms, before in steps:
        now_ms += elapsed_ms
        asked.advance(now_ms, LIMITS, 0)
        asked.take(now_ms, one(before))
    wait_ms = asked.take(now_ms, one(tokens))
    if wait_ms:
        asked.advance(now_ms + wait_ms, LIMITS, 0)
        assert asked.take(now_ms + wait_ms, one(tokens)) == 0
        assert wait_ms <= 60_000 * (1 + LARGEST / 6000)


@given(st.integers(0, 6000), st.integers(1, LARGEST))
def test_a_refusal_counts_nothing(left: int, tokens: int) -> None:
    asked = budget()
    asked.buckets["tokens"].level = left
    before = deepcopy(asked)
    if asked.take(0, one(tokens)):
        assert asked == before


def test_more_than_a_bucket_passes_when_it_is_full_and_leaves_a_debt() -> None:
    asked = budget()
    assert asked.take(0, one(12_000)) == 0
    assert levels(asked)["tokens"] == -6000
    assert asked.take(0, one(1000)) == 70_000


def test_requests_and_tokens_are_both_needed() -> None:
    asked = budget(start=0)
    asked.buckets["tokens"].level = 6000
    assert asked.take(0, one(1)) == 1000
    asked.buckets["requests"].level = 60
    asked.buckets["tokens"].level = 0
    assert asked.take(0, one(200)) == 2000


@given(st.lists(st.integers(1, LARGEST), max_size=30))
def test_a_debt_without_asking_is_one_bucket_at_most(searches: list[int]) -> None:
    asked = budget()
    for tokens in searches:
        asked.count(one(tokens))
    assert levels(asked)["tokens"] == max(6000 - sum(searches), -6000)


def test_counting_forgives_no_debt() -> None:
    asked = budget()
    asked.take(0, one(20_000))
    asked.count(one(100))
    assert levels(asked)["tokens"] == -14_000


@given(st.floats(-9000, 6000), st.floats(1, 20_000), st.floats(0, 1))
def test_an_answer_never_gives_more_than_was_counted_here(level: float, limit: float, part: float) -> None:
    asked = budget()
    asked.buckets["tokens"].level = level
    asked.learn({"tokens": Said(limit, 60, part * limit)})
    bucket = asked.buckets["tokens"]
    assert bucket.limit == limit
    assert bucket.level == min(level, part * limit)
    assert bucket.learned


def test_the_order_of_answers_does_not_matter() -> None:
    early, late = Said(6000, 60, 5000), Said(6000, 60, 3000)
    for answers in ([early, late], [late, early]):
        asked = budget()
        for answer in answers:
            asked.learn({"tokens": answer})
        assert levels(asked)["tokens"] == 3000


def test_what_the_provider_said_goes_before_the_settings() -> None:
    asked = budget()
    asked.learn({"tokens": Said(900, 60, 900)})
    asked.advance(0, {"tokens": Limit(77)}, 1)
    assert levels(asked) == {"tokens": 900}


@pytest.mark.parametrize(("now", "level"), [(Limit(100), 100), (Limit(9000), 6000), (Limit(5000, learned=True), 5000)])
def test_a_limit_of_the_settings_gives_way_to_other_settings_and_to_what_was_learned(now: Limit, level: float) -> None:
    asked = budget()
    asked.advance(0, {"tokens": now}, 0)
    assert (asked.buckets["tokens"].limit, asked.buckets["tokens"].level) == (now.limit, level)


def test_a_look_at_what_will_be_left_changes_nothing() -> None:
    asked = budget(start=0)
    before = deepcopy(asked)
    assert asked.left(30_000)["tokens"].level == 3000
    assert asked == before


class TestAPause:
    @given(st.integers(1, 600_000), st.floats(0, 1))
    def test_lets_nobody_through_and_ends_with_empty_buckets(self, pause_ms: int, part: float) -> None:
        asked = budget()
        asked.pause(0, pause_ms)
        now_ms = int(part * pause_ms)
        asked.advance(now_ms, LIMITS, 0)
        assert asked.paused_s(now_ms) == (pause_ms - now_ms) / 1000
        assert asked.take(now_ms, one(1)) >= pause_ms - now_ms
        asked.advance(pause_ms, LIMITS, 0)
        assert levels(asked) == {"requests": 0, "tokens": 0}
        assert asked.take(pause_ms, one(1)) == 1000

    def test_is_not_shortened_by_a_later_shorter_one(self) -> None:
        asked = budget()
        asked.pause(0, 5000)
        asked.pause(1000, 100)
        assert asked.paused_s(1000) == 4

    def test_forgives_no_debt(self) -> None:
        asked = budget()
        asked.take(0, one(12_000))
        asked.pause(0, 1000)
        assert levels(asked)["tokens"] == -6000

    def test_is_followed_by_one_request_at_a_time_where_no_limit_is_known(self) -> None:
        asked = Budget(0)
        asked.pause(0, 1000)
        granted, now_ms = list[int](), 0
        while now_ms < 1000 + SLOW_MS:
            asked.advance(now_ms, {}, 0)
            wait_ms = asked.take(now_ms, one(1))
            if not wait_ms:
                granted.append(now_ms)
            now_ms += wait_ms
        assert granted == list(range(1000, 1000 + SLOW_MS, SPACING_MS))
        assert asked.take(now_ms, one(1)) == asked.take(now_ms, one(1)) == 0
