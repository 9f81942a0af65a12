"""How much memory building a graph takes, so that nobody waits for one that does not fit; an estimate, pure."""

from math import ceil

from dbrag.documents.model import Storage
from dbrag.vectors.model import Generation

# Sizes in bytes on a 64-bit machine, from pgvector 0.8: `HnswElementData`, `HnswNeighborArray` and `HnswCandidate` in
# src/hnsw.h, allocated by HnswInitElement and HnswInitNeighbors in src/hnswutils.c.
ELEMENT = 128
POINTER = 8
NEIGHBOURS_HEADER = 16
CANDIDATE = 16
VALUE_HEADER = 8
# A parallel build shares maintenance_work_mem with what coordinates it: 3 MB in src/hnswbuild.c.
SHARED_BYTES = 3 << 20


def graph_bytes(rows: int, generation: Generation) -> int:
    """What the graph of so many rows takes while it is built; a little too much rather than too little.

    An element is in 1 + 1 / (m - 1) layers on average: 2 m neighbours in the lowest one, m in each above.
    """
    m = generation.m
    upper_layers = 1 / (m - 1)
    neighbours = NEIGHBOURS_HEADER + 2 * m * CANDIDATE + upper_layers * (NEIGHBOURS_HEADER + m * CANDIDATE)
    element = 2 if generation.storage is Storage.HALFVEC else 4
    value = VALUE_HEADER + generation.dimensions * element
    return ceil(rows * (ELEMENT + (1 + upper_layers) * POINTER + neighbours + value)) + SHARED_BYTES


def rows_that_fit(memory_mb: int, generation: Generation) -> int:
    """The rows of the largest graph that `maintenance_work_mem` of so many MiB holds."""
    a_million = graph_bytes(1_000_000, generation) - SHARED_BYTES
    return max(0, (memory_mb << 20) - SHARED_BYTES) * 1_000_000 // a_million


def warning(rows: int, memory_mb: int, generation: Generation) -> str | None:
    """What to tell the operator of a build that will be slow; None where the graph fits."""
    needed_mb = ceil(graph_bytes(rows, generation) / (1 << 20))
    if needed_mb <= memory_mb:
        return None
    return (
        f"The graph of a segment of {rows} rows takes about {needed_mb} MiB to build and does not fit into "
        f"{memory_mb} MiB: building it is some ten times slower. Set DBRAG_MAINTENANCE_WORK_MEM_MB to at least "
        f"{needed_mb}."
    )
