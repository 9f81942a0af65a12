"""Probabilities that a side answers, and the measure that they are told from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbrag.catalog.calibrate import DOCUMENTS, NO_DOCUMENTS, NO_TABLES, TABLES, TYPICAL_COVERAGE, Curve, Evidence
from dbrag.catalog.route import HARDLY, SURE, Scores, Target, verdict
from dbrag.catalog.strangers import TEXTS, measure

similarities = st.floats(-20, 20)
coverages = st.floats(0, 1)
curves = st.sampled_from([DOCUMENTS, TABLES])


@given(curves, similarities, similarities, coverages, st.floats(0.01, 5))
def test_what_is_nearer_or_has_more_of_the_words_is_more_probable(
    curve: Curve, own: float, other: float, coverage: float, more: float
) -> None:
    probability = curve.probability(Evidence(own, coverage), Evidence(other, 0.5))
    assert 0 <= probability <= 1
    assert curve.probability(Evidence(own + more, coverage), Evidence(other, 0.5)) >= probability
    assert curve.probability(Evidence(own, coverage + more), Evidence(other, 0.5)) >= probability
    assert curve.probability(Evidence(own, coverage), Evidence(other + more, 0.5)) <= probability


@given(curves, similarities)
def test_without_full_text_a_typical_coverage_is_assumed(curve: Curve, own: float) -> None:
    unknown = curve.probability(Evidence(own, None), NO_TABLES)
    assert unknown == curve.probability(Evidence(own, TYPICAL_COVERAGE), NO_TABLES)


@pytest.mark.parametrize(
    ("curve", "own", "other"), [(DOCUMENTS, NO_DOCUMENTS, NO_TABLES), (TABLES, NO_TABLES, NO_DOCUMENTS)]
)
def test_where_there_is_one_side_only_strong_evidence_is_believed_and_weak_is_not(
    curve: Curve, own: Evidence, other: Evidence
) -> None:
    assert curve.probability(Evidence(6.0, 0.9), other) > SURE
    assert curve.probability(own, other) < HARDLY


@pytest.mark.parametrize(
    ("documents", "tables", "target"),
    [
        (0.9, 0.2, Target.DOCUMENTS),
        (0.2, 0.9, Target.TABLES),
        (0.6, 0.5, Target.BOTH),
        (0.29, 0.1, Target.NONE),
        (0.1, 0.31, Target.TABLES),
        (0.4, 0.4, Target.DOCUMENTS),
        (0.0, 0.0, Target.NONE),
    ],
)
def test_the_verdict(documents: float, tables: float, target: Target) -> None:
    assert verdict(Scores(documents, tables)) is target


def test_a_model_whose_texts_are_all_alike_is_measured_by_another_yard() -> None:
    """What all texts of a model have in common changes its similarities, and not what they are worth."""
    random = np.random.default_rng(3)
    plain = random.normal(size=(len(TEXTS) + 2, 64))
    plain[-1] = 0.7 * plain[-2] + 0.7 * plain[-1]
    alike = plain + 3.0 * random.normal(size=64)
    worth = [_similarity_of_last_two(vectors) for vectors in (plain, alike)]
    assert worth[0][0] < worth[1][0] - 0.1
    assert worth[0][1] == pytest.approx(worth[1][1], rel=0.3)


def test_strangers_that_are_one_and_the_same_divide_by_no_zero() -> None:
    same = measure([np.ones(8)] * len(TEXTS))
    assert np.isfinite(same.of(0.5))


def _similarity_of_last_two(vectors: np.ndarray) -> tuple[float, float]:
    """As the cosine, and in deviations."""
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = float(units[-1] @ units[-2])
    return similarity, measure(list(vectors[:-2])).of(similarity)
