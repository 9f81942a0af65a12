"""Recall: what a generation's graphs find, compared with what there is."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from psycopg import sql

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.errors import Transient
from dbrag.vectors.model import Generation, Recall
from dbrag.vectors.parameter import VectorParameter
from dbrag.vectors.search import set_search
from dbrag.vectors.tables import column_type, generation_table

SQL = beside(__file__, "recall.sql")
K = 10
LADDER = (40, 100, 200, 400, 800)

EXACT_ROWS = 20_000_000
"""Rows that the exact scans of one measurement read, some 0.85 µs each: larger generations get fewer samples."""

SAMPLES_AT_LEAST = 5

TRIES = 3
"""A segment that is replaced meanwhile takes its rows along, and what was measured is worth nothing."""

OVERSAMPLING = 20
"""Pages to choose from, for each sample: two samples of one page are often neighbours."""

SAME = 1e-6
"""Distances that differ by less are ties: duplicates, of which the graph may find others than the exact scan."""


class Stored(NamedTuple):
    """A stored vector that is searched for."""

    chunk_id: int
    vector: VectorParameter


class Neighbours(NamedTuple):
    """The distances of the K nearest to one vector, itself left out, and the time it took to find them."""

    distances: list[float]
    ms: float


def measure(conn: Connection, generation: Generation, *, samples: int, ef_search: int, floor: float) -> Recall:
    """Searches for stored vectors through the graphs and without, and compares the ten nearest, themselves left out.

    Looks at the generation's rows alone, live or not, so it may be one that does not serve yet. The samples are fewer
    than asked for where the generation is small, or so large that the exact scans would take minutes (EXACT_ROWS).
    Without any the recall is 1. Stored vectors are easier to find than strangers' questions: take it for an upper
    bound. `conn` is best in autocommit: then no transaction lasts longer than one search.

    Raises: Transient where segments were replaced each time.
    """
    for _ in range(TRIES):
        with conn.transaction():
            segment_ids = set_search(conn, generation.id, ef_search)
            vectors = _sample(conn, generation, segment_ids, samples) if segment_ids else []
        recall = _compare(conn, generation, segment_ids, vectors, ef_search, floor)
        with conn.transaction():
            if set_search(conn, generation.id, ef_search) == segment_ids:
                return recall
    raise Transient("segments were replaced again and again while the recall was measured", code="segments_changed")


def _compare(
    conn: Connection,
    generation: Generation,
    segment_ids: list[int],
    vectors: list[Stored],
    ef_search: int,
    floor: float,
) -> Recall:
    exact = [_search(conn, generation, segment_ids, vector, None) for vector in vectors]

    def found(ef: int) -> list[Neighbours]:
        return [_search(conn, generation, segment_ids, vector, ef) for vector in vectors]

    recall = summarise(found(ef_search), exact, ef_search, floor)
    if recall.recall_at_10 >= floor:
        return recall
    wider = (ef for ef in LADDER if ef > ef_search)
    return replace(recall, ef_search_needed=next((ef for ef in wider if recall_at_k(found(ef), exact) >= floor), None))


def recall_at_k(found: Sequence[Neighbours], exact: Sequence[Neighbours]) -> float:
    """The share of what there is that was found; what is as near as the last of the exact ones counts as found."""
    there_are = sum(len(one.distances) for one in exact)
    if there_are == 0:
        return 1.0
    hits = sum(
        min(len(theirs.distances), sum(distance <= theirs.distances[-1] + SAME for distance in ours.distances))
        for ours, theirs in zip(found, exact, strict=True)
        if theirs.distances
    )
    return hits / there_are


def summarise(found: Sequence[Neighbours], exact: Sequence[Neighbours], ef_search: int, floor: float) -> Recall:
    """What was measured in a few figures."""
    index_ms, exact_ms = [one.ms for one in found] or [0.0], [one.ms for one in exact] or [0.0]
    return Recall(
        samples=len(found),
        ef_search=ef_search,
        recall_at_10=recall_at_k(found, exact),
        floor=floor,
        ef_search_needed=None,
        p50_ms=float(np.percentile(index_ms, 50)),
        p95_ms=float(np.percentile(index_ms, 95)),
        exact_p50_ms=float(np.percentile(exact_ms, 50)),
    )


def affordable(samples: int, rows: int) -> int:
    """How many samples a generation of so many rows gets."""
    return min(samples, max(SAMPLES_AT_LEAST, EXACT_ROWS // max(rows, 1)))


def record(conn: Connection, generation: Generation, recall: Recall) -> None:
    """Keeps a measurement; nothing where the generation is gone."""
    conn.execute(SQL.insert_probe, {"generation_id": generation.id, **asdict(recall)})


def _sample(conn: Connection, generation: Generation, segment_ids: list[int], samples: int) -> list[Stored]:
    rows, pages = conn.execute(SQL.size, {"segment_ids": segment_ids}).fetchone() or (0, 0)
    query = SQL.sample.format(**_names(generation), send=sql.Identifier(f"{generation.storage}_send"))
    wanted = affordable(samples, rows)
    percent = min(100.0, 100.0 * OVERSAMPLING * wanted / max(pages, 1))
    found = conn.cursor(binary=True).execute(query, {"segment_ids": segment_ids, "percent": percent, "samples": wanted})
    return [Stored(chunk_id, VectorParameter(vector)) for chunk_id, vector in found]


def _search(
    conn: Connection, generation: Generation, segment_ids: list[int], stored: Stored, ef_search: int | None
) -> Neighbours:
    """Through the graphs with this `ef_search`, or exactly."""
    query = (SQL.neighbours if ef_search else SQL.exact_neighbours).format(**_names(generation))
    parameters = {"segment_ids": segment_ids, "vector": stored.vector, "limit": K + 1}
    with conn.transaction():
        set_search(conn, generation.id, ef_search or K)
        began = perf_counter()
        rows = conn.execute(query, parameters).fetchall()
        ms = (perf_counter() - began) * 1000
    return Neighbours([distance for chunk_id, distance in rows if chunk_id != stored.chunk_id][:K], ms)


def _names(generation: Generation) -> dict[str, Any]:
    return {
        "table": generation_table(generation.id),
        "type": column_type(generation.storage, generation.dimensions),
    }
