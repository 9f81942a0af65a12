"""Packing a request and sharing its bill."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbrag.embedding.pack import HEADROOM, estimate_tokens, share, take

tokens_of_texts = st.lists(st.integers(0, 9000), min_size=1, max_size=300)
max_inputs = st.integers(1, 100)
max_tokens = st.integers(1, 50_000)


@given(tokens_of_texts, max_inputs, max_tokens)
def test_a_request_keeps_to_both_limits_unless_a_single_text_is_over(
    tokens: list[int], max_inputs: int, max_tokens: int
) -> None:
    count = take(tokens, max_inputs, max_tokens)
    assert 1 <= count <= max_inputs
    assert count == 1 or sum(tokens[:count]) <= max_tokens * (1 - HEADROOM)


@given(tokens_of_texts, max_inputs, max_tokens)
def test_a_request_is_as_full_as_the_limits_allow(tokens: list[int], max_inputs: int, max_tokens: int) -> None:
    count = take(tokens, max_inputs, max_tokens)
    full = count == max_inputs or count == len(tokens)
    assert full or sum(tokens[: count + 1]) > max_tokens * (1 - HEADROOM)


@given(tokens_of_texts, max_inputs, max_tokens)
def test_taking_again_and_again_takes_every_text_once_in_order(
    tokens: list[int], max_inputs: int, max_tokens: int
) -> None:
    left, requests = tokens, list[list[int]]()
    while left:
        count = take(left, max_inputs, max_tokens)
        requests.append(left[:count])
        left = left[count:]
    assert [count for request in requests for count in request] == tokens


def test_nothing_waiting_is_nothing_taken() -> None:
    assert take([], 2048, 300_000) == 0


@pytest.mark.parametrize(
    ("text", "counted", "weight"),
    [
        ("a" * 400, 90, 100),  # plain English: the provider's quarter of a token a byte is more
        ("{};" * 40, 80, 80),  # code: the count is more
        ("ü" * 6, 2, 3),  # bytes, not characters
        ("abcde", 1, 2),  # rounded up
    ],
)
def test_a_text_weighs_its_tokens_or_the_providers_estimate_whichever_is_more(
    text: str, counted: int, weight: int
) -> None:
    assert estimate_tokens(text, counted) == weight


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10_000), min_size=1, max_size=200))
def test_shares_sum_to_the_bill_and_stay_within_one_token_of_fair(total: int, weights: list[int]) -> None:
    parts = share(total, weights)
    whole = sum(weights)
    assert sum(parts) == total
    assert len(parts) == len(weights)
    if whole:
        assert all(abs(part * whole - total * weight) < whole for part, weight in zip(parts, weights, strict=True))


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (10, [1, 1, 1], [4, 3, 3]),
        (10, [0, 0], [5, 5]),
        (7, [3, 0, 4], [3, 0, 4]),
        (1, [1, 2], [0, 1]),
        (0, [], []),
    ],
)
def test_a_bill_is_shared_by_largest_remainder(total: int, weights: list[int], parts: list[int]) -> None:
    assert share(total, weights) == parts
