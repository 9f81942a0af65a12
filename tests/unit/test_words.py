"""Which chunks are looked at for a question, where words stand, and how two rankings become one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbrag.vectors.model import Hit, Span
from dbrag.vectors.ranks import fused
from dbrag.vectors.words import BEGIN, CAP, END, Term, highlights, soughts


@pytest.mark.parametrize(
    ("chunks", "sought"),
    [
        pytest.param([], [], id="no word counts"),
        pytest.param([0, 0], [], id="no word is there"),
        pytest.param([0, 3], ["'b'"], id="what is there"),
        pytest.param([3, 40, 500], ["'a' | 'b' | 'c'"], id="all of them, where they are few"),
        pytest.param([3, CAP - 3, 7], ["'a' | 'b'", "'a' | 'b' | 'c'"], id="the rare ones first, where they are many"),
        pytest.param([CAP], ["'a'"], id="one common word"),
        pytest.param([CAP, CAP, CAP], ["'a' & ('b' | 'c')", "'a'", "'a' | 'b' | 'c'"], id="only common words"),
    ],
)
def test_what_is_looked_at_is_bounded(chunks: list[int], sought: list[str]) -> None:
    terms = [Term(lexeme, count, 10_000) for lexeme, count in zip("abc", chunks, strict=False)]
    assert list(soughts(terms)) == sought


def test_rare_words_weigh_more_and_all_weigh_something() -> None:
    weights = [Term("a", chunks, 1000).weight for chunks in (1, 10, 100, 1000)]
    assert weights == sorted(weights, reverse=True)
    assert weights[-1] > 0
    assert Term("a", CAP, 10).weight > 0


def test_a_word_is_quoted() -> None:
    assert Term("it's \\ odd", 1, 1).query == "'it''s \\\\ odd'"


@given(
    st.lists(st.tuples(st.text("ab 🚢é", max_size=5), st.text("xyz🚢", min_size=1, max_size=4)), max_size=6),
    st.integers(0, 9),
)
def test_marks_become_offsets_into_the_document(parts: list[tuple[str, str]], start: int) -> None:
    text = "".join(before + word for before, word in parts)
    marked = "".join(f"{before}{BEGIN}{word}{END}" for before, word in parts)
    document = "." * start + text
    spans = highlights(marked, text, start)
    assert [document[span.start : span.end] for span in spans] == [word for _, word in parts]


def test_a_text_that_was_changed_or_has_marks_of_its_own_has_no_highlights() -> None:
    assert highlights(f"{BEGIN}a{END} b", "a  b", 0) == []
    assert highlights(f"{BEGIN}a{END} {BEGIN}", f"a {BEGIN}", 0) == []


def hit(number: int, highlighted: int = 0) -> Hit:
    return Hit(f"d{number}", number, "t", 0, 1, 0.5, {}, highlights=[Span(0, 1)] * highlighted)


def test_first_in_both_scores_one_and_highlights_stay() -> None:
    [best, *rest] = fused([hit(1), hit(2)], [hit(1, 1), hit(3, 1)], 10)
    assert (best.chunk_id, best.score, len(best.highlights)) == (1, 1.0, 1)
    assert [one.chunk_id for one in rest] == [2, 3]
    assert all(one.score < 0.5 for one in rest)


@given(st.lists(st.integers(0, 30), unique=True), st.lists(st.integers(0, 30), unique=True), st.integers(1, 40))
def test_fusing_keeps_the_best_once_and_in_order(left: list[int], right: list[int], limit: int) -> None:
    both = fused([hit(n) for n in left], [hit(n) for n in right], limit)
    assert len(both) == min(limit, len({*left, *right}))
    assert len({one.chunk_id for one in both}) == len(both)
    scores = [one.score for one in both]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
