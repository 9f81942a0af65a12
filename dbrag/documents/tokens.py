"""Exact token counts in cl100k_base, the encoding of OpenAI's embedding models."""

from functools import cache

# The public Encoding makes a list of the tokens to count them, and refuses a million characters.
from bpe_openai import _bindings  # pyright: ignore[reportMissingTypeStubs] -- only this module of it has stubs


@cache
def _tokenizer() -> _bindings.PyTokenizer:
    """The vocabulary, from the wheel: 0.5 s and about 95 MB, so it is loaded at the first count and kept."""
    return _bindings.tokenizer_for_encoding("cl100k_base")


def count_tokens(text: str) -> int:
    """How many tokens OpenAI's embedding models see in `text`; special tokens' names count as plain text."""
    return _tokenizer().count(text)


def count_within(text: str, limit: int) -> int | None:
    """The tokens of `text`, or None as soon as there are more than `limit`: cheap for a text much longer than that."""
    return _tokenizer().count_till_limit(text, limit)
