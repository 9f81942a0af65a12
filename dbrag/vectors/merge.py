"""Merging segments into one, or rewriting one without its dead rows, while they are searched and deleted from.

The order, which was seen to lose nothing in 336,684 searches (attaching and swapping in one transaction lost some):
fill and index a table that nobody knows; attach it, and commit; wait until whoever may not know of it has ended, so
that from here on deletes reach both copies; swap in one transaction. What was replaced is dropped by removal.py.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.errors import Transient
from dbrag.vectors import hnsw, removal, segments
from dbrag.vectors.model import Generation
from dbrag.vectors.tables import generation_table, segment_table

SQL = beside(__file__, "merge.sql")

Fence = Callable[[Connection], None]
"""Raises ClaimLost where another worker has taken over; in the transaction of `conn` it also keeps others from that."""


class Unfinished(NamedTuple):
    """A merge that somebody began: `complete` where nothing but the swap is missing."""

    id: int
    replaces: list[int]
    complete: bool


def merge(conn: Connection, generation: Generation, replaces: Sequence[int], fence: Fence) -> None:
    """Makes one segment, with its index, of several; `conn` is a session of hnsw.py.

    Raises: OldTransaction; another attempt completes the merge then.
    """
    segment_id = begin(conn, generation, replaces)
    fill(conn, generation, segment_id, replaces)
    hnsw.build_apart(conn, generation, segment_id)
    fence(conn)
    segments.attach(conn, generation.id, segment_id)
    swap(conn, generation, segment_id, replaces, fence)


def begin(conn: Connection, generation: Generation, replaces: Sequence[int]) -> int:
    """Makes the segment that those are to become, which no search sees, and returns its id."""
    with conn.transaction():
        row = conn.execute(SQL.insert_merged, {"generation_id": generation.id, "replaces": list(replaces)}).fetchone()
        assert row is not None
        segments.make_table(conn, generation.id, row[0])
    return row[0]


def fill(conn: Connection, generation: Generation, segment_id: int, replaces: Sequence[int]) -> None:
    """Copies what they hold; what is deleted meanwhile is removed by `swap`."""
    names = {"table": generation_table(generation.id), "segment": segment_table(generation.id, segment_id)}
    filled = conn.execute(SQL.fill.format(**names), {"id": segment_id, "replaces": list(replaces)}).rowcount
    conn.execute(SQL.count_filled, {"id": segment_id, "rows": filled})


def swap(conn: Connection, generation: Generation, segment_id: int, replaces: Sequence[int], fence: Fence) -> None:
    """Lets searches see an attached segment instead of those that it replaces."""
    removal.wait_for_older(conn)
    ids = sorted([segment_id, *replaces])
    with conn.transaction():
        if conn.execute(SQL.lock_segments, {"ids": ids}).rowcount != len(ids):
            raise Transient("segments were exchanged by somebody else meanwhile", code="segments_changed")
        gone = conn.execute(SQL.remove_gone.format(segment=segment_table(generation.id, segment_id))).rowcount
        fence(conn)
        conn.execute(SQL.swap, {"id": segment_id, "ids": ids, "gone": gone})


def unfinished(conn: Connection, generation_id: int) -> list[Unfinished]:
    """What killed workers have left of merges; only for who holds the generation's claim, since nobody else merges."""
    return [Unfinished._make(row) for row in conn.execute(SQL.unfinished, {"generation_id": generation_id})]
