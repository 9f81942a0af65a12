"""Splitting: what holds for every text."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from dbrag.documents.split import Span, split
from dbrag.documents.tokens import count_tokens

# Pieces that tokenizers and splitters find hard, and any other characters that can be written as UTF-8.
PIECES = [
    "word ",
    "A sentence ends here. ",
    "\n",
    "\n\n",
    "\r\n",
    " " * 40,
    "\x1c",
    "\u00a0",
    "0123456789" * 8,
    "א" * 9 + " ",
    "👩‍👩‍👧‍👦",
    "e\u0301",
    "ꙮ",
    "# heading\n\n",
    "- item\n",
    "```\n",
    "| a | b |\n",
    "<|endoftext|>",
]
texts = st.lists(
    st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=120
).map("".join)
limits = st.integers(4, 60).flatmap(lambda limit: st.tuples(st.just(limit), st.integers(0, limit - 1)))


def spans_of(text: str, limit: tuple[int, int], markdown: bool) -> list[Span]:
    return split(text, *limit, markdown=markdown)


@given(texts, limits, st.booleans())
@example("Ò\u0b00", (4, 3), False)  # never ended: one character and the overlap were always too much
def test_every_chunk_has_exactly_its_tokens_and_keeps_to_the_limit(
    text: str, limit: tuple[int, int], markdown: bool
) -> None:
    for span in spans_of(text, limit, markdown):
        assert span.tokens == count_tokens(text[span.start : span.end]) <= limit[0]


@given(texts, limits, st.booleans())
def test_the_chunks_leave_out_nothing_but_whitespace(text: str, limit: tuple[int, int], markdown: bool) -> None:
    covered = 0
    for span in spans_of(text, limit, markdown):
        assert not text[covered : span.start].strip()
        covered = max(covered, span.end)
    assert not text[covered:].strip()


@given(texts, limits, st.booleans())
def test_chunks_come_in_order_and_each_adds_something(text: str, limit: tuple[int, int], markdown: bool) -> None:
    spans = spans_of(text, limit, markdown)
    for before, after in pairwise(spans):
        assert before.start <= after.start
        assert before.end < after.end


@given(texts, limits, st.booleans())
def test_no_chunk_is_blank(text: str, limit: tuple[int, int], markdown: bool) -> None:
    assert all(text[span.start : span.end].strip() for span in spans_of(text, limit, markdown))


@given(texts, st.integers(4, 60), st.booleans())
def test_without_overlap_no_character_is_in_two_chunks(text: str, max_tokens: int, markdown: bool) -> None:
    spans = split(text, max_tokens, 0, markdown=markdown)
    assert all(before.end <= after.start for before, after in pairwise(spans))
