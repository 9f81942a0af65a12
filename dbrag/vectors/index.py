"""A collection's index: when it is built, and what there is of it."""

from collections import defaultdict
from collections.abc import Collection as Several
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.documents.model import Collection
from dbrag.errors import Conflict
from dbrag.jobs import jobs
from dbrag.jobs.model import Job, Kind, Queue
from dbrag.settings import Settings
from dbrag.vectors import generations, memory, segments, tiers
from dbrag.vectors.model import Generation, IndexReport, Segment, SegmentStatus
from dbrag.vectors.tiers import Sized

SQL = beside(__file__)
# After a rebuild that failed nothing asks for the next one, but a user, for so long, in seconds.
PAUSE_S = 600.0


def describe(conn: Connection, collection: Collection) -> IndexReport:
    """The generation's settings and its segments, oldest first."""
    generation = generations.of_collection(conn, collection.id)
    with conn.cursor(row_factory=class_row(Segment)) as cursor:
        segments_ = cursor.execute(SQL.describe_segments, {"generation_id": generation.id}).fetchall()
    # The planner knows nothing yet of a segment that grows; those are small.
    return IndexReport(
        generation,
        [
            segment
            if segment.status is not SegmentStatus.FRESH
            else replace(segment, rows=segments.rows(conn, generation.id, segment.id))
            for segment in segments_
        ],
        generations.history(conn, collection.id),
    )


def request_rebuild(conn: Connection, collection: Collection) -> Job:
    """The job that seals what is fresh and builds what has no index: the one that stands, or a new one."""
    _request(conn, collection.tenant_id, collection.id, collection.generation_id, seal=True)
    row = conn.execute(SQL.standing_rebuild, {"generation_id": collection.generation_id}).fetchone()
    if row is None:
        raise Conflict("the index was being built and is ready now: ask again if more was written since")
    return jobs.get(conn, collection.tenant_id, row[0])


def seal_when_full(conn: Connection, generation: Generation, settings: Settings) -> bool:
    """Closes the fresh segment once it is full, and has its index built; says whether it did."""
    if not segments.seal(conn, generation.id, settings.segment_rows):
        return False
    _request_due(conn, [generation.id])
    return True


def seal_old(conn: Connection, settings: Settings) -> int:
    """Closes fresh segments that have rows and were not filled in time; returns how many."""
    old = conn.execute(SQL.old_fresh_segments, {"age_s": settings.segment_age_s}).fetchall()
    return sum(segments.seal(conn, generation_id) for (generation_id,) in old)


def request_due_rebuilds(conn: Connection, settings: Settings) -> int:
    """Makes a job for each generation in which something is to be done and nobody does it; returns how many.

    That is: a sealed segment, a merge or a rewrite that the policy wants, or what a killed worker has left.
    """
    due = {row[0] for row in conn.execute(SQL.generations_with_work)}
    sizes = indexed(conn)
    for generation in generations.by_id(conn, sizes.keys() - due).values():
        if next_merge(conn, generation, sizes[generation.id], settings):
            due.add(generation.id)
    return _request_due(conn, due)


def next_merge(conn: Connection, generation: Generation, sizes: Several[Sized], settings: Settings) -> list[int]:
    """The segments that should become one now; see tiers.py."""
    busy = conn.execute(SQL.is_busy, {"generation_id": generation.id}).fetchone() == (True,)
    return tiers.next_merge(
        sizes,
        rows_at_most(generation, settings),
        settings.dead_rows_share,
        tiers.FAN_OUT_BUSY if busy else tiers.FAN_OUT,
    )


def overdue(conn: Connection, settings: Settings) -> set[int]:
    """Generations with more rows without an index than the settings allow: embedding for them waits."""
    return {row[0] for row in conn.execute(SQL.overdue_generations, {"rows": settings.unindexed_rows})}


def indexed(conn: Connection, generation_id: int | None = None) -> dict[int, list[Sized]]:
    """Indexed segments by generation; of one generation, or of all."""
    sizes: defaultdict[int, list[Sized]] = defaultdict(list)
    for owner, *size in conn.execute(SQL.indexed_segments, {"generation_id": generation_id}):
        sizes[owner].append(Sized._make(size))
    return sizes


def rows_at_most(generation: Generation, settings: Settings) -> int:
    """The largest segment that merging makes: one whose graph fits into memory, or building takes ten times."""
    fitting = memory.rows_that_fit(settings.maintenance_work_mem_mb, generation)
    return min(settings.segment_rows_at_most, fitting)


def _request_due(conn: Connection, generation_ids: Several[int]) -> int:
    candidates = {"generation_ids": list(generation_ids), "pause_s": PAUSE_S}
    due = conn.execute(SQL.generations_to_tend, candidates).fetchall()
    for collection_id, tenant_id, generation_id in due:
        _request(conn, tenant_id, collection_id, generation_id, seal=False)
    return len(due)


def _request(conn: Connection, tenant_id: UUID, collection_id: int, generation_id: int, *, seal: bool) -> None:
    """Makes the job unless one stands; the schema allows one a generation."""
    standing = conn.execute(SQL.standing_rebuild, {"generation_id": generation_id}).fetchone()
    if standing is None:
        with suppress(UniqueViolation), conn.transaction():
            jobs.create(
                conn, tenant_id, Kind.REBUILD_INDEX, Queue.LOW, collection_id, generation_id=generation_id, seal=seal
            )
    elif seal:
        conn.execute(SQL.seal_too, {"id": standing[0]})
