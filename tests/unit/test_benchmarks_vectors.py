"""The search benchmark's vectors."""

import numpy as np
import pytest

from benchmarks.vectors import BLOCK, CORPORA, DIMENSIONS, clustered, gaussian, nearest


@pytest.mark.parametrize("name", CORPORA)
def test_the_same_seed_makes_the_same_vectors_and_another_seed_others(name: str) -> None:
    make = CORPORA[name]
    assert np.array_equal(make(300), make(300))
    assert not np.array_equal(make(300), make(300, seed=2))


@pytest.mark.parametrize("name", CORPORA)
def test_vectors_have_unit_length_in_half_precision(name: str) -> None:
    made = CORPORA[name](BLOCK + 10)
    assert made.shape == (BLOCK + 10, DIMENSIONS)
    assert made.dtype == np.float16
    assert np.allclose(np.linalg.norm(made.astype(np.float32), axis=1), 1, atol=1e-2)


@pytest.mark.parametrize("name", CORPORA)
def test_no_vector_is_there_twice(name: str) -> None:
    assert len(np.unique(CORPORA[name](2000), axis=0)) == 2000


def test_clusters_have_neighbours_and_noise_has_none() -> None:
    def nearest_score(rows: np.ndarray) -> float:
        pairs = nearest(rows[:20], rows, 2)[:, 1]
        return float(np.mean(np.sum(rows[:20].astype(np.float32) * rows[pairs].astype(np.float32), axis=1)))

    assert nearest_score(clustered(2000)) > 0.4
    assert nearest_score(gaussian(2000)) < 0.2


def test_the_nearest_are_those_of_the_smallest_cosine_distance_across_blocks() -> None:
    rows = gaussian(BLOCK + 500)
    found = nearest(rows[[3, BLOCK + 7]], rows, 5)
    scores = rows[[3, BLOCK + 7]].astype(np.float64) @ rows.astype(np.float64).T
    assert found[:, 0].tolist() == [3, BLOCK + 7]
    for row, score in zip(found, scores, strict=True):
        assert set(row) == set(np.argsort(-score)[:5])
