"""A passage cut where the question's words begin and end, so that a page can mark them."""

from collections.abc import Sequence
from typing import NamedTuple

from dbrag.vectors.model import Span


class Piece(NamedTuple):
    """A part of a passage; marked where it is a word of the question."""

    text: str
    is_marked: bool


def marked(text: str, start: int, highlights: Sequence[Span]) -> list[Piece]:
    """The pieces of a passage, in order. Like the highlights, `start` counts in the passage's document."""
    pieces: list[Piece] = []
    done = 0
    for span in sorted(highlights, key=lambda span: span.start):
        begin, end = max(span.start - start, done), min(span.end - start, len(text))
        if begin < end:
            pieces += [Piece(text[done:begin], False), Piece(text[begin:end], True)]
            done = end
    pieces.append(Piece(text[done:], False))
    return [piece for piece in pieces if piece.text]
