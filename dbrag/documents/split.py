"""Cuts a text into chunks of a bounded number of tokens, at the best boundaries that fit."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from time import monotonic

from semantic_text_splitter import MarkdownSplitter, TextSplitter

from dbrag.documents.tokens import count_tokens, count_within
from dbrag.errors import Invalid, TooLarge

# A splitter that counts tokens counts every candidate: 4,000 chunks/s. So it works on characters, at the density just
# met, only what it cuts is counted (10,000 chunks/s), and what is over the limit is cut again at its own density.
# It cuts few chunks at a time: it slows down with the length of its text, and density changes along it.
WINDOW_CHUNKS = 6
MIN_TOKENS = 4  # a character has at most four bytes, so at most four tokens

_WORD_START = re.compile(r"(?<!\S)\S")


@dataclass(frozen=True, slots=True)
class Span:
    """One chunk: `text[start:end]`, in characters, which is exactly `tokens` tokens long."""

    start: int
    end: int
    tokens: int


def split(
    text: str, max_tokens: int, overlap_tokens: int, *, markdown: bool = False, limit_s: float = inf
) -> list[Span]:
    """The chunks of `text`, in order: each of at most `max_tokens` (exactly), together all of it but whitespace.

    A chunk begins with the last `overlap_tokens` or so of the text before it. Boundaries are, as far as they fit:
    headings and blocks (`markdown`), paragraphs, sentences, words, characters. Only whitespace: no chunk.
    Raises Invalid if `max_tokens` is below 4 or not above `overlap_tokens`; TooLarge where it takes longer than
    `limit_s`: 10 MB take 0.5 s as English prose and up to 14 s as random letters of Chinese.
    """
    if not max(MIN_TOKENS - 1, overlap_tokens) < max_tokens:
        raise Invalid(f"max_tokens must be at least {MIN_TOKENS} and larger than overlap_tokens.")
    trimmed = text.strip()
    if not trimmed:
        return []
    tokens = count_within(trimmed, max_tokens)
    if tokens is not None:
        start = text.index(trimmed)
        return [Span(start, start + len(trimmed), tokens)]
    deadline = monotonic() + limit_s
    spans: list[Span] = []
    for span in _spans(text, max_tokens, overlap_tokens, MarkdownSplitter if markdown else TextSplitter):
        if monotonic() > deadline:
            detail = f"Splitting the text took longer than {limit_s:g} s; split the document into smaller ones."
            raise TooLarge(detail, code="text_too_large")
        spans.append(span)
    return spans


def _spans(
    text: str, max_tokens: int, overlap_tokens: int, splitter: type[MarkdownSplitter | TextSplitter]
) -> Iterator[Span]:
    sample = text[: 4 * max_tokens]
    chars_per_token = len(sample) / count_tokens(sample)
    position = previous = 0  # where the text not yet in a chunk begins, and where the last chunk's share of it began
    while position < len(text):
        capacity = max(1, int((max_tokens - overlap_tokens) * chars_per_token))
        # This ends: a cut that is too large lowers the density, down to a single character, which fits by itself.
        overlap = int(overlap_tokens * chars_per_token) if capacity > 1 else 0
        bodies, following = _bodies(text, position, capacity, splitter)
        for start, end in bodies:
            span = _counted(text, _reach_back(text, start, max(previous, start - overlap)), end)
            chars_per_token = (span.end - span.start) / span.tokens
            if span.tokens > max_tokens:
                following = start
                break
            yield span
            previous = start
        position = following


def _bodies(
    text: str, position: int, capacity: int, splitter: type[MarkdownSplitter | TextSplitter]
) -> tuple[list[tuple[int, int]], int]:
    """What the next window at `position` is cut into (start, end), and where the next one begins.

    A window that ends inside the text has cut its last piece short: the next window begins with it.
    The splitter's own overlap is not used: it is quadratic in runs of blank lines (8 s for 16,000 characters).
    """
    window = text[position : position + WINDOW_CHUNKS * capacity]
    pieces = [(position + at, position + at + len(piece)) for at, piece in splitter(capacity).chunk_indices(window)]
    following = position + len(window)
    if following < len(text) and len(pieces) > 1:
        following, _ = pieces.pop()
    return [(start, end) for start, end in pieces if not text[start:end].isspace()], following


def _counted(text: str, start: int, end: int) -> Span:
    return Span(start, end, count_tokens(text[start:end]))


def _reach_back(text: str, start: int, earliest: int) -> int:
    """Where a chunk begins that repeats text from `earliest` on: at a word, or (Chinese has no spaces) right there."""
    word = _WORD_START.search(text, earliest, start)
    if word:
        return word.start()
    return start if text[earliest:start].isspace() else earliest
