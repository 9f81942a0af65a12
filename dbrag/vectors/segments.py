"""Segments: made, written to, sealed. The only place that makes tables for vectors."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.sql import Identifier

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.documents.model import Storage
from dbrag.errors import Transient
from dbrag.vectors import copy_format, generations
from dbrag.vectors.model import Generation
from dbrag.vectors.tables import column_type, generation_table, segment_table

SQL = beside(__file__)


def ensure_fresh(conn: Connection, generation_id: int) -> None:
    """Makes sure that a segment takes writes; in a short transaction of its own, before the one that writes."""
    if conn.execute(SQL.fresh_segment, {"generation_id": generation_id}).fetchone():
        return
    generation = conn.execute(SQL.lock_generation, {"id": generation_id}).fetchone()
    if generation is None or conn.execute(SQL.fresh_segment, {"generation_id": generation_id}).fetchone():
        return  # the collection is gone, or another process was first
    tenant_id, storage, dimensions = generation[0], Storage(generation[1]), generation[2]
    table = {"table": generation_table(generation_id), "type": column_type(storage, dimensions)}
    row = conn.execute(SQL.insert_segment, {"tenant_id": tenant_id, "generation_id": generation_id}).fetchone()
    assert row is not None
    conn.execute(SQL.create_generation_table.format(**table))
    make_table(conn, generation_id, row[0])
    attach(conn, generation_id, row[0])


def make_table(conn: Connection, generation_id: int, segment_id: int) -> None:
    """The table of a segment, which no search sees before it is attached."""
    for statement in (SQL.create_segment_table, SQL.set_storage):
        conn.execute(statement.format(**_names(generation_id, segment_id)))


def attach(conn: Connection, generation_id: int, segment_id: int) -> None:
    """Makes a segment's table a partition; searches see it once its status says so."""
    conn.execute(SQL.attach_segment.format(**_names(generation_id, segment_id)))


def _names(generation_id: int, segment_id: int) -> dict[str, Any]:
    return {
        "table": generation_table(generation_id),
        "segment": segment_table(generation_id, segment_id),
        "id": segment_id,
    }


def write(
    conn: Connection, generation: Generation, chunk_ids: Sequence[int], vectors: NDArray[np.floating[Any]]
) -> None:
    """Appends vectors (n, dimensions) to the fresh segment by binary COPY.

    Raises: Transient where the segment was sealed since `ensure_fresh`: do that again, and the transaction too.
    """
    segment = conn.execute(SQL.fresh_segment, {"generation_id": generation.id}).fetchone()
    if segment is None:
        raise Transient("the segment was sealed in between", code="segment_sealed")
    layout = copy_format.halfvec_rows if generation.storage is Storage.HALFVEC else copy_format.vector_rows
    body = layout(segment[0], np.asarray(chunk_ids, dtype=np.int64), vectors)
    query = SQL.copy_vectors.format(segment=segment_table(generation.id, segment[0]))
    with conn.cursor() as cursor, cursor.copy(query) as copy:
        copy.write(body)


def delete_vectors(conn: Connection, generation_id: int, chunk_ids: Sequence[int]) -> None:
    """Removes the vectors of chunks that are gone."""
    if chunk_ids and has_table(conn, generation_id):
        conn.execute(SQL.delete_vectors.format(table=generation_table(generation_id)), {"chunk_ids": list(chunk_ids)})


def stored(conn: Connection, wanted: Generation, hashes: Collection[bytes]) -> dict[bytes, NDArray[Any]]:
    """Vectors (dimensions,) for texts with these hashes, from all generations of the collection that `wanted` can copy
    from, as they are stored."""
    found: dict[bytes, NDArray[Any]] = {}
    for generation in _copyable(conn, wanted):
        rows = _stored(conn, generation, set(hashes) - found.keys(), f"{generation.storage}_send")
        element = ">f2" if generation.storage is Storage.HALFVEC else ">f4"
        # The two types' binary formats begin with the dimensions and an unused number, two bytes each.
        found |= {hash_: np.frombuffer(value, element, offset=4) for hash_, value in rows}
    return found


def known(conn: Connection, wanted: Generation, hashes: Collection[bytes]) -> set[bytes]:
    """Those of the hashes for which `stored` finds a vector, without reading it."""
    found: set[bytes] = set()
    for generation in _copyable(conn, wanted):
        found |= {hash_ for hash_, _ in _stored(conn, generation, set(hashes) - found, "vector_dims")}
    return found


def _copyable(conn: Connection, wanted: Generation) -> list[Generation]:
    found = generations.all_of_collections(conn, [wanted.collection_id])
    return [generation for generation in found if generation.can_be_copied_to(wanted.target)]


def _stored(
    conn: Connection, generation: Generation, hashes: Collection[bytes], function: str
) -> Iterable[tuple[bytes, Any]]:
    """What `function` makes of each vector that is stored."""
    if not hashes or not has_table(conn, generation.id):
        return ()
    query = SQL.stored_vectors.format(table=generation_table(generation.id), send=Identifier(function))
    asked = {"collection_id": generation.collection_id, "generation_id": generation.id, "hashes": list(hashes)}
    return conn.cursor(binary=True).execute(query, asked)


def missing(conn: Connection, generation_id: int, version_ids: Sequence[int]) -> list[tuple[int, int, int, bytes]]:
    """Chunks of these versions that still need a vector: (version id, chunk id, tokens, hash)."""
    ensure_fresh(conn, generation_id)
    query = SQL.missing_vectors.format(table=generation_table(generation_id))
    return [(row[0], row[1], row[2], row[3]) for row in conn.execute(query, {"version_ids": list(version_ids)})]


def has_table(conn: Connection, generation_id: int) -> bool:
    """False until the first vector is written."""
    return conn.execute(SQL.has_segments, {"generation_id": generation_id}).fetchone() == (True,)


def rows(conn: Connection, generation_id: int, segment_id: int) -> int:
    """The rows of a segment, counted: for those that are small."""
    counted = conn.execute(SQL.count_rows.format(segment=segment_table(generation_id, segment_id))).fetchone()
    return counted[0] if counted else 0


def estimated_rows(conn: Connection, generation_id: int) -> int:
    """The rows of a generation, as the planner believes."""
    counted = conn.execute(SQL.estimated_rows, {"generation_id": generation_id}).fetchone()
    return counted[0] if counted else 0


def seal(conn: Connection, generation_id: int, at_rows: int = 1) -> bool:
    """Closes the fresh segment to writes where it has that many rows, and says whether it did.

    Waits for nobody, and nobody for it: writers that have found it fresh write on, and whoever indexes it waits for
    them. Rows are counted only where they might be enough, so this may be asked after every write.
    """
    segment = conn.execute(SQL.segment_to_seal, {"generation_id": generation_id}).fetchone()
    if segment is None or (segment[1] or 0) < at_rows:
        return False
    counted = rows(conn, generation_id, segment[0])
    return counted >= at_rows and conn.execute(SQL.seal_segment, {"id": segment[0], "rows": counted}).rowcount == 1


def wait_for_writers(conn: Connection, segment_ids: Collection[int]) -> None:
    """Until those that found these segments fresh have ended; only deletes change them from then on."""
    conn.execute(SQL.wait_for_writers, {"ids": list(segment_ids)})
