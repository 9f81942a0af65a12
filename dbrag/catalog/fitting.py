"""As much as fits into so many tokens."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from dbrag.documents.tokens import count_tokens

T = TypeVar("T")


def fitting(parts: Iterable[T], most_tokens: int, written: Callable[[T], str]) -> list[T]:
    """As many whole parts as fit, the first ones first; `written` is a part as it will stand in the text."""
    kept, left = list[T](), most_tokens
    for part in parts:
        cost = count_tokens(written(part))
        if cost <= left:
            kept.append(part)
            left -= cost
    return kept


def beginning(text: str, most_tokens: int, written: Callable[[str], str]) -> str:
    """As much of the text as fits, cut between words."""
    words, left = text.split(" "), most_tokens
    for number, word in enumerate(words):
        left -= count_tokens(" " + written(word))
        if left < 0:
            return " ".join(words[:number])
    return text
