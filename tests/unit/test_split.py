"""Splitting: cases."""

from itertools import pairwise

import pytest

from dbrag.documents.split import Span, split
from dbrag.documents.tokens import count_tokens
from dbrag.errors import Invalid, TooLarge

SENTENCES = [f"Sentence number {n} tells how the weather was on day {n} of that long journey." for n in range(400)]
PROSE = "\n\n".join(" ".join(SENTENCES[n : n + 5]) for n in range(0, 400, 5))


def chunks(text: str, max_tokens: int, overlap_tokens: int = 0, *, markdown: bool = False) -> list[str]:
    return [text[span.start : span.end] for span in split(text, max_tokens, overlap_tokens, markdown=markdown)]


def test_a_text_that_fits_is_one_chunk_without_the_whitespace_around_it() -> None:
    assert split("\n hello world \n", 16, 4) == [Span(2, 13, 2)]


@pytest.mark.parametrize("text", ["", " ", "\n\t\u00a0\u2003 \x1c" * 100])
def test_a_text_of_nothing_but_whitespace_has_no_chunk(text: str) -> None:
    assert split(text, 16, 4) == []


def test_chunks_of_prose_are_at_least_seven_tenths_full_on_average() -> None:
    tokens = [span.tokens for span in split(PROSE, 400, 40)]
    assert sum(tokens) / len(tokens) >= 0.7 * 400


def test_chunks_end_where_a_sentence_ends() -> None:
    assert all(chunk.endswith(".") for chunk in chunks(PROSE, 50))


def test_a_chunk_begins_with_the_words_that_end_the_one_before() -> None:
    first, second = chunks(PROSE, 100, 20)[:2]
    shared = next(size for size in range(len(second), 0, -1) if first.endswith(second[:size]))
    assert 5 <= count_tokens(second[:shared]) <= 25
    assert first[-shared - 1].isspace()


def test_chinese_overlaps_too_though_it_has_no_spaces() -> None:
    text = "春眠不覺曉處處聞啼鳥夜來風雨聲花落知多少" * 30
    spans = split(text, 60, 15)
    assert all(after.start < before.end for before, after in pairwise(spans))


def test_markdown_is_cut_at_headings() -> None:
    text = "".join(f"# Part {n}\n\n{SENTENCES[n]} {SENTENCES[n + 1]}\n\n" for n in range(30))
    assert all(chunk.startswith("# Part") for chunk in chunks(text, 60, markdown=True))


def test_offsets_count_characters_not_bytes() -> None:
    text = "👩‍👩‍👧‍👦 שלום עולם é e\u0301 " * 60
    for span in split(text, 32, 0):
        assert count_tokens(text[span.start : span.end]) == span.tokens


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "a" + "\u0301" * 200_000,
        "x" + "\n" * 1_000_000 + "y",
        " \n" * 500_000 + "z",
        "> " * 200_000,
        "`a *b [c](" * 50_000,
    ],
    ids=["one word", "one letter with accents", "blank lines", "indented blank lines", "nested quotes", "open marks"],
)
@pytest.mark.parametrize("markdown", [False, True], ids=["text", "markdown"])
def test_a_huge_text_without_good_boundaries_is_split_all_the_same(text: str, markdown: bool) -> None:
    spans = split(text, 400, 40, markdown=markdown)
    assert spans[0].start == len(text) - len(text.lstrip())
    assert spans[-1].end == len(text.rstrip())
    assert max(span.tokens for span in spans) <= 400


def test_a_text_whose_density_changes_keeps_to_the_limit() -> None:
    text = PROSE + "\n" + "ꙮ჻⸻" * 500 + "\n" + PROSE + " " * 50_000 + "ꙮ჻⸻" * 500
    assert max(span.tokens for span in split(text, 100, 20)) <= 100


@pytest.mark.parametrize(("max_tokens", "overlap_tokens"), [(3, 0), (16, 16), (16, 20)])
def test_limits_that_cannot_be_kept_are_refused(max_tokens: int, overlap_tokens: int) -> None:
    with pytest.raises(Invalid, match="max_tokens must be at least 4"):
        split("text", max_tokens, overlap_tokens)


def test_a_text_that_takes_too_long_is_refused_instead_of_holding_its_worker_up() -> None:
    assert split(PROSE, 100, 20, limit_s=60) == split(PROSE, 100, 20)
    with pytest.raises(TooLarge, match="split the document into smaller ones") as caught:
        split(PROSE, 100, 20, limit_s=0)
    assert caught.value.code == "text_too_large"
