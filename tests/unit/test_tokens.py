"""Counting tokens as OpenAI does."""

import pytest

from dbrag.documents.tokens import count_tokens, count_within


# The counts are those of OpenAI's cookbook, «How to count tokens with tiktoken».
@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("hello world", 2),
        ("tiktoken is great!", 6),
        ("antidisestablishmentarianism", 6),
        ("お誕生日おめでとう", 9),
        ("2 + 2 = 4", 7),
    ],
)
def test_counts_are_those_of_openai(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens


def test_the_name_of_a_special_token_is_plain_text() -> None:
    assert count_tokens("<|endoftext|>") > 1


def test_a_text_of_more_than_a_million_characters_is_counted() -> None:
    assert count_tokens("word " * 400_000) >= 400_000


def test_a_text_within_the_limit_gets_its_count_and_a_longer_one_none() -> None:
    assert count_within("hello world", 2) == 2
    assert count_within("hello world", 1) is None
