"""The benchmarks' corpora."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.corpus import batches, corpus
from dbrag.documents.split import split


def _chunks(documents: list[dict[str, str]]) -> int:
    return sum(len(split(document["text"], 400, 40)) for document in documents)


@pytest.mark.parametrize(("name", "documents"), [("A", 400), ("B", 5), ("C", 400)])
def test_a_corpus_has_about_the_chunks_that_were_asked_for(name: str, documents: int) -> None:
    made = corpus(name, 520)
    assert len(made) == documents
    assert abs(_chunks(made) - 520) < 40


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_the_same_seed_makes_the_same_documents_and_another_seed_others(name: str) -> None:
    assert corpus(name, 200) == corpus(name, 200)
    assert corpus(name, 200, seed=2) != corpus(name, 200)


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_external_ids_are_unique(name: str) -> None:
    assert set(Counter(document["external_id"] for document in corpus(name, 500)).values()) == {1}


def test_three_in_ten_documents_of_c_have_the_text_of_another() -> None:
    texts = [document["text"] for document in corpus("C", 1300)]
    assert len(texts) == 1000
    assert len(set(texts)) == 700


def test_a_and_b_repeat_no_text() -> None:
    for name in "AB":
        texts = [document["text"] for document in corpus(name, 1300)]
        assert len(set(texts)) == len(texts)


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 10), st.integers(10, 100))
def test_batches_keep_the_order_and_both_limits(sizes: list[int], most: int, most_bytes: int) -> None:
    documents = [{"external_id": str(i), "title": "", "text": "x" * size} for i, size in enumerate(sizes)]
    made = list(batches(documents, most, most_bytes))
    assert [document for batch in made for document in batch] == documents
    for batch in made:
        assert 1 <= len(batch) <= most
        assert len(batch) == 1 or sum(len(document["text"]) for document in batch) <= most_bytes
