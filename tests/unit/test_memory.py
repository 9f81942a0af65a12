"""How much memory a graph takes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbrag.documents.model import Storage
from dbrag.vectors import memory
from dbrag.vectors.model import Generation, GenerationStatus

GENERATION = Generation(1, 1, "m", 1536, Storage.HALFVEC, 16, 64, GenerationStatus.SERVING)


def test_a_graph_that_fits_is_not_spoken_of() -> None:
    assert memory.warning(2500, 512, GENERATION) is None


def test_a_warning_names_the_setting_and_what_to_set_it_to() -> None:
    sentence = memory.warning(500_000, 512, GENERATION)
    assert sentence
    needed_mb = int(sentence.removesuffix(".").rsplit(" ", 1)[1])
    assert "DBRAG_MAINTENANCE_WORK_MEM_MB to at least" in sentence
    assert memory.warning(500_000, needed_mb, GENERATION) is None


def test_the_estimate_is_near_what_was_measured() -> None:
    """pgvector 0.8.5: 36 MiB hold 9,963 rows of 1,536 halves with m = 16, 30 MiB hold 8,295."""
    for memory_mb, rows in ((36, 9963), (30, 8295)):
        without_sharing = memory.graph_bytes(rows, GENERATION) - memory.SHARED_BYTES
        assert without_sharing == pytest.approx(memory_mb << 20, rel=0.02)


@given(
    st.integers(64, 100_000),
    st.integers(1, 4000),
    st.sampled_from(Storage),
    st.integers(2, 100),
)
def test_what_fits_is_as_much_as_fits(memory_mb: int, dimensions: int, storage: Storage, m: int) -> None:
    generation = replace(GENERATION, dimensions=dimensions, storage=storage, m=m)
    rows = memory.rows_that_fit(memory_mb, generation)
    assert memory.graph_bytes(rows, generation) <= memory_mb << 20
    assert memory.graph_bytes(rows + 2 + rows // 100_000, generation) > memory_mb << 20


@pytest.mark.parametrize("m", [2, 16, 100])
def test_more_of_anything_takes_more(m: int) -> None:
    generation = replace(GENERATION, m=m)
    small = memory.graph_bytes(1000, generation)
    assert memory.graph_bytes(1001, generation) > small
    assert memory.graph_bytes(1000, replace(generation, m=m + 1)) > small - (1000 * 40 if m == 2 else 0)
    assert memory.graph_bytes(1000, replace(generation, storage=Storage.VECTOR)) > small
