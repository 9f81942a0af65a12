"""Passages cut at the words of a question."""

import pytest

from api.console.marks import marked
from dbrag.vectors.model import Span


@pytest.mark.parametrize(
    ("text", "start", "spans", "shown"),
    [
        ("plain", 0, [], "plain"),
        ("a cat sat", 0, [(2, 5)], "a [cat] sat"),
        ("a cat sat", 100, [(106, 109), (102, 105)], "a [cat] [sat]"),
        ("cat", 0, [(0, 3)], "[cat]"),
        ("a cat sat", 0, [(2, 5), (2, 5), (4, 7)], "a [cat][ s]at"),
        ("a cat", 10, [(5, 11), (14, 99)], "[a] ca[t]"),
        ("a cat", 10, [(0, 9), (90, 99)], "a cat"),
        ("𝒜 cat", 0, [(2, 5)], "𝒜 [cat]"),
        ("", 0, [(0, 1)], ""),
    ],
)
def test_words_are_marked_and_nothing_is_lost(text: str, start: int, spans: list[tuple[int, int]], shown: str) -> None:
    pieces = marked(text, start, [Span(*span) for span in spans])
    assert "".join(f"[{piece.text}]" if piece.is_marked else piece.text for piece in pieces) == shown
    assert "".join(piece.text for piece in pieces) == text
