"""Replacing a collection's generation by one with another model or other index settings, and going back.

The new one is filled from the stored chunks, by way of the pending table and at low priority, while the old one serves
and every new chunk is embedded for both; dbrag/vectors/filling.py is the work of the job that is made here.
"""

from typing import NamedTuple
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.errors import Conflict
from dbrag.jobs import jobs
from dbrag.jobs.model import Job, Kind, Queue
from dbrag.settings import Settings
from dbrag.vectors import generations
from dbrag.vectors.model import Generation, GenerationStatus, Target

SQL = beside(__file__, "replacement.sql")


class Building(NamedTuple):
    """The generation that is being built, and the job that does it."""

    generation: Generation
    job_id: UUID


def begin(conn: Connection, tenant_id: UUID, collection_id: int, target: Target, settings: Settings) -> Job | None:
    """The job that brings a collection to `target`; None where that is what it has.

    One that is on its way there already is the answer to a second wish; a generation of that kind that was kept is
    brought up to date instead of being made anew. Raises: Conflict where the collection is on its way to another one.
    """
    abandon_orphans(conn, settings, collection_id)
    if generations.of_collection(conn, collection_id).target == target:
        return None
    building = being_built(conn, collection_id)
    if building and building.generation.target == target:
        return jobs.get(conn, tenant_id, building.job_id)
    if building:
        raise _under_way(building.job_id)
    kept = next((one for one in _kept(conn, collection_id) if one.target == target), None)
    try:
        with conn.transaction():
            if kept:
                if conn.execute(SQL.reopen, {"id": kept.id}).rowcount != 1:
                    raise Conflict("the generation that was kept has just been given up: ask again to make a new one")
                generation_id = kept.id
            else:
                generation_id = generations.insert(conn, tenant_id, collection_id, target, GenerationStatus.BUILDING)
            job_id = jobs.create(
                conn, tenant_id, Kind.REBUILD_INDEX, Queue.LOW, collection_id, generation_id=generation_id, fill=True
            )
    except UniqueViolation as exc:
        raise Conflict("another change of this collection has just begun: ask again to see it") from exc
    return jobs.get(conn, tenant_id, job_id)


def roll_back(conn: Connection, tenant_id: UUID, collection_id: int, settings: Settings) -> Job:
    """The job that lets the generation that served before serve again; what was written since is embedded for it first.

    Raises: Conflict where none is kept, or where the collection is being changed.
    """
    abandon_orphans(conn, settings, collection_id)
    building = being_built(conn, collection_id)
    if building:
        raise _under_way(building.job_id)
    kept = _kept(conn, collection_id)
    if not kept:
        raise Conflict("no earlier generation is kept: PUT the collection with the settings that it is to have")
    job = begin(conn, tenant_id, collection_id, kept[0].target, settings)
    assert job is not None  # or it would serve
    return job


def being_built(conn: Connection, collection_id: int) -> Building | None:
    """The generation that is being built beside the serving one."""
    row = conn.execute(SQL.building_generation, {"collection_id": collection_id}).fetchone()
    return Building(Generation(*row[:-1]), row[-1]) if row else None


def abandon_orphans(conn: Connection, settings: Settings, collection_id: int | None = None) -> int:
    """Gives up generations whose job has failed or was cancelled; returns how many."""
    return conn.execute(
        SQL.abandon_orphans, {"collection_id": collection_id, "keep_s": settings.keep_generation_s}
    ).rowcount


def _kept(conn: Connection, collection_id: int) -> list[Generation]:
    with conn.cursor(row_factory=class_row(Generation)) as cursor:
        return cursor.execute(SQL.kept_generations, {"collection_id": collection_id}).fetchall()


def _under_way(job_id: UUID) -> Conflict:
    return Conflict(
        f"the collection is being changed to other settings by the job {job_id}: wait for it, or cancel it with "
        f"POST /v1/jobs/{job_id}:cancel"
    )
