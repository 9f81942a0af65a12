"""A collection's index: when it is built, and what there is of it."""

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
from dbrag.vectors import generations, segments
from dbrag.vectors.model import Generation, IndexReport, Segment, SegmentStatus

SQL = beside(__file__)


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
            if segment.status is SegmentStatus.INDEXED
            else replace(segment, rows=segments.rows(conn, generation.id, segment.id))
            for segment in segments_
        ],
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
    request_due_rebuilds(conn)
    return True


def request_due_rebuilds(conn: Connection) -> int:
    """Makes a job for each generation with a sealed segment that nobody indexes; returns how many."""
    due = conn.execute(SQL.generations_to_index).fetchall()
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
