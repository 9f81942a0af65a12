"""Rows of a segment in PostgreSQL's binary COPY format, laid out by numpy in one go.

The format: postgresql.org/docs/18/sql-copy.html, "Binary Format"; that of the two types: `halfvec_recv` and
`vector_recv` in pgvector 0.8. Every number is big-endian. Text COPY is ten times slower to read, and to write.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbrag.errors import Permanent

COLUMNS = ("segment_id", "chunk_id", "embedding")
"""What the rows hold, in this order: `COPY … (segment_id, chunk_id, embedding) FROM STDIN (FORMAT binary)`."""

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_TRAILER = b"\xff\xff"


class VectorOutOfRange(Permanent):
    """A number that the collection's storage cannot hold."""

    code = "vector_out_of_range"


def halfvec_rows(segment_id: int, chunk_ids: NDArray[np.int64], vectors: NDArray[np.floating[Any]]) -> bytes:
    """The body of a COPY of `vectors` (n, dimensions) and their `chunk_ids` (n,), for a `halfvec` column.

    Raises VectorOutOfRange where a number is beyond ±65,504, which would silently become infinite.
    """
    with np.errstate(over="ignore"):
        halves = vectors.astype(np.float16, copy=False)
    if not np.isfinite(halves).all():
        raise VectorOutOfRange("A vector has numbers beyond ±65,504: give the collection the storage `vector`.")
    return _rows(segment_id, chunk_ids, halves, ">f2")


def vector_rows(segment_id: int, chunk_ids: NDArray[np.int64], vectors: NDArray[np.floating[Any]]) -> bytes:
    """The same for a `vector` column (float32)."""
    return _rows(segment_id, chunk_ids, vectors, ">f4")


def _rows(segment_id: int, chunk_ids: NDArray[np.int64], vectors: NDArray[np.floating[Any]], element: str) -> bytes:
    count, dimensions = vectors.shape
    rows = np.empty(count, _row(dimensions, element))
    rows["columns"] = len(COLUMNS)
    rows["segment_id_bytes"], rows["segment_id"] = 4, segment_id
    rows["chunk_id_bytes"], rows["chunk_id"] = 8, chunk_ids.reshape(count)  # or numpy would repeat a single one
    rows["embedding_bytes"] = 4 + dimensions * np.dtype(element).itemsize
    rows["dimensions"], rows["unused"] = dimensions, 0
    rows["elements"] = vectors
    return b"".join((_HEADER, rows.view(np.uint8).data, _TRAILER))


def _row(dimensions: int, element: str) -> np.dtype[np.void]:
    """One row: the number of columns, then each with its size before it."""
    return np.dtype(
        [
            ("columns", ">i2"),
            ("segment_id_bytes", ">i4"),
            ("segment_id", ">i4"),
            ("chunk_id_bytes", ">i4"),
            ("chunk_id", ">i8"),
            ("embedding_bytes", ">i4"),
            ("dimensions", ">i2"),
            ("unused", ">i2"),
            ("elements", element, (dimensions,)),
        ]
    )
