"""Vectors for the search benchmark, the same for the same seed, and who is nearest to whom among them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 1536
CLUSTER_ROWS = 1000
"""Vectors of one cluster, on average."""

LATENT = 128
"""Directions in which the vectors of a cluster differ: embeddings of text spread along few, not along all 1,536."""

SPREAD = 1.5
"""How far a vector lies from the middle of its cluster, where the middles lie 1 from the origin."""

NOISE = 0.5
"""The part of it that goes into all directions."""

BLOCK = 4096

Halves = NDArray[np.float16]


def clustered(rows: int, seed: int = 1) -> Halves:
    """(rows, 1536) of unit length, in clusters: what texts about a limited number of things look like."""
    random = np.random.default_rng(seed)
    middles = _unit(random.standard_normal((max(1, rows // CLUSTER_ROWS), DIMENSIONS), np.float32))
    directions = _unit(random.standard_normal((LATENT, DIMENSIONS), np.float32))
    made = np.empty((rows, DIMENSIONS), np.float16)
    for block in _blocks(rows):
        count = block.stop - block.start
        offsets = _unit(random.standard_normal((count, LATENT), np.float32) @ directions)
        noise = _unit(random.standard_normal((count, DIMENSIONS), np.float32))
        made[block] = _unit(middles[random.integers(len(middles), size=count)] + SPREAD * offsets + NOISE * noise)
    return made


def gaussian(rows: int, seed: int = 1) -> Halves:
    """(rows, 1536) of unit length, without any structure: nobody is much nearer than anybody else, the hardest case."""
    random = np.random.default_rng(seed)
    made = np.empty((rows, DIMENSIONS), np.float16)
    for block in _blocks(rows):
        made[block] = _unit(random.standard_normal((block.stop - block.start, DIMENSIONS), np.float32))
    return made


CORPORA = {"clustered": clustered, "gaussian": gaussian}


def nearest(queries: Halves, rows: Halves, count: int) -> NDArray[np.int64]:
    """(queries, count): the rows nearest to each query by cosine distance, exactly, the nearest first."""
    wanted = _unit(queries.astype(np.float32))
    scores = np.empty((len(queries), len(rows)), np.float32)
    for block in _blocks(len(rows)):
        scores[:, block] = wanted @ _unit(rows[block].astype(np.float32)).T
    return np.argsort(-scores, axis=1, kind="stable")[:, :count]


def _blocks(rows: int) -> Iterator[slice]:
    """Slices of all rows; a block at a time keeps float32 copies small."""
    return (slice(start, min(start + BLOCK, rows)) for start in range(0, rows, BLOCK))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
