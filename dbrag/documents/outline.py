"""Where in its document a chunk stands: its page, and the headings above it."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

MAX_HEADING_CHARS = 200

_FENCE = re.compile(r" {0,3}(```|~~~)")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)\s*$")
_NO_PARAGRAPH = re.compile(r"\s*(?:[#>|*+-]|\d+[.)]|```|~~~)")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_EMPHASIS = re.compile(r"\*+|__+|`+")


class Heading(NamedTuple):
    """A heading: where its line begins (characters), how deep it is (1 is the top), what it says."""

    start: int
    level: int
    title: str


class Place(NamedTuple):
    """`page` counts from 1, None where the format has none; `headings` from the outermost to the innermost."""

    page: int | None
    headings: list[str]


def headings(markdown: str) -> list[Heading]:
    """The headings of a Markdown text: with # or underlined; what stands in fenced code is none."""
    found: list[Heading] = []
    fence: str | None = None
    for before, (start, line), (_, after) in _lines_with_neighbours(markdown):
        if marks := _FENCE.match(line):
            fence = marks[1] if fence is None else None if fence == marks[1] else fence
        elif fence is None:
            if marks := _HEADING.match(line):
                found.append(Heading(start, len(marks[1]), _title(line[marks.end() :].strip().rstrip("#"))))
            elif (marks := _UNDERLINE.match(after)) and _is_a_paragraph(before, line):
                found.append(Heading(start, 1 if marks[1][0] == "=" else 2, _title(line)))
    return found


def places(starts: Iterable[int], headings: Sequence[Heading], pages: Sequence[int]) -> list[Place]:
    """The places of chunks that begin at `starts` (ascending), where page n begins at `pages[n - 1]`.

    A heading stands above the chunk that begins with it.
    """
    found: list[Place] = []
    above: list[Heading] = []
    following = iter(headings)
    heading = next(following, None)
    for start in starts:
        while heading and heading.start <= start:
            above = [*(outer for outer in above if outer.level < heading.level), heading]
            heading = next(following, None)
        page = max(1, bisect_right(pages, start)) if pages else None
        found.append(Place(page, [outer.title for outer in above if outer.title]))
    return found


def _lines_with_neighbours(text: str) -> Iterator[tuple[str, tuple[int, str], tuple[int, str]]]:
    before = ""
    for (start, line), following in pairwise(_lines(text)):
        yield before, (start, line), following
        before = line


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line in text.split("\n"):
        yield start, line
        start += len(line) + 1
    yield start, ""


def _is_a_paragraph(before: str, line: str) -> bool:
    """Whether this line is a paragraph by itself, which a line below it makes a heading."""
    return not before.strip() and bool(line.strip()) and not _NO_PARAGRAPH.match(line)


def _title(text: str) -> str:
    return _EMPHASIS.sub("", _LINK.sub(r"\1", text[:MAX_HEADING_CHARS])).strip()
