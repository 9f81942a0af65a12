"""Binary COPY rows; tests/integration/test_copy_format.py has PostgreSQL read them."""

import struct

import numpy as np
import pytest

from dbrag.vectors.copy_format import VectorOutOfRange, halfvec_rows, vector_rows

IDS = np.array([7, 2**40])


def test_a_halfvec_row_is_laid_out_as_postgresql_reads_it() -> None:
    body = halfvec_rows(3, IDS[:1], np.array([[0.5, -2.0]], np.float32))
    row = struct.pack(">h ii iq ihh 2e", 3, 4, 3, 8, 7, 8, 2, 0, 0.5, -2.0)
    assert body == b"PGCOPY\n\xff\r\n\0" + bytes(8) + row + b"\xff\xff"


def test_a_vector_row_keeps_single_precision() -> None:
    body = vector_rows(3, IDS, np.array([[0.1], [1e30]], np.float32))
    row = struct.Struct(">h ii iq ihh f")
    rows = [struct.pack(row.format, 3, 4, 3, 8, id_, 8, 1, 0, value) for id_, value in [(7, 0.1), (2**40, 1e30)]]
    assert body[19:-2] == b"".join(rows)


@pytest.mark.parametrize("value", [65_520.0, -1e6, np.nan, np.inf])
def test_a_number_beyond_half_precision_is_an_error_and_not_infinity(value: float) -> None:
    with pytest.raises(VectorOutOfRange, match="storage `vector`"):
        halfvec_rows(1, IDS, np.array([[1.0], [value]], np.float32))


def test_the_largest_half_passes() -> None:
    assert halfvec_rows(1, IDS, np.array([[65_504.0], [65_519.0]], np.float32))


def test_one_id_is_not_repeated_over_many_vectors() -> None:
    with pytest.raises(ValueError, match="reshape"):
        halfvec_rows(1, IDS[:1], np.ones((2, 4), np.float32))


def test_no_vectors_are_an_empty_copy() -> None:
    assert len(halfvec_rows(1, IDS[:0], np.empty((0, 4), np.float32))) == 21
