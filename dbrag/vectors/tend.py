"""Tending a generation: sealed segments get their HNSW, small ones become large ones, what is over goes."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import psycopg
import structlog
from psycopg.errors import DiskFull

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.errors import Permanent
from dbrag.jobs import claims
from dbrag.jobs.claims import ClaimLost
from dbrag.jobs.lease import Drained, kept_alive
from dbrag.jobs.model import Claim
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from dbrag.vectors import hnsw, index, memory, merge, removal, segments
from dbrag.vectors.model import Generation
from dbrag.vectors.removal import OldTransaction

SQL = beside(__file__)
log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(slots=True)
class Tended:
    """What was done: indexes built in place, merges, rewrites, segments dropped; `warnings` are sentences.

    `waited`: a merge could not be completed, since an old transaction did not end.
    """

    built: int = 0
    merged: int = 0
    rewritten: int = 0
    dropped: int = 0
    waited: bool = False
    warnings: list[str] = field(default_factory=list[str])

    @property
    def steps(self) -> int:
        return self.built + self.merged + self.rewritten


class Step(NamedTuple):
    """An index to build: in place for a sealed segment, else for the one that these are to become.

    `begun`: that one, where an earlier attempt has brought it so far that nothing but the swap is missing.
    """

    segment_ids: list[int]
    rows: int
    in_place: bool = False
    begun: int | None = None


def tend(runtime: Runtime, claim: Claim, generation: Generation) -> Tended:
    """Gives each sealed segment its index, merges and rewrites what the policy says, and drops what was replaced.

    For a job that does more than that; its caller counts its own steps. May be repeated at any time, and takes up what
    an attempt that was killed has left.

    Raises: ClaimLost, Transient, Drained; Permanent where PostgreSQL's disk is full.
    """
    tended = Tended()
    with (
        hnsw.session(runtime.settings) as builder,
        kept_alive(runtime.pool, claim, runtime.settings, stop=builder.cancel_safe, draining=runtime.draining),
    ):
        for _ in steps(runtime, claim, generation, builder, tended):
            pass
    return tended


def steps(
    runtime: Runtime, claim: Claim, generation: Generation, builder: Connection, tended: Tended
) -> Generator[list[Step]]:
    """Does step by step what is to be done, and yields what remains before each and at the end.

    Raises: Drained where the process is to end before a step.
    """
    settings = runtime.settings

    def renew(conn: Connection) -> None:
        claims.renew(conn, claim, settings)

    def fence(conn: Connection) -> None:
        if runtime.draining():
            raise Drained
        renew(conn)

    with _left_tidy(builder, generation, renew):
        fence(builder)
        _clear(builder, generation, tended)
        while remaining := plan(builder, generation, settings):
            fence(builder)
            _warn(remaining[0], generation, settings, tended)
            yield remaining
            log.info(
                "building an index", job_id=str(claim.id), segments=remaining[0].segment_ids, rows=remaining[0].rows
            )
            try:
                _do(remaining[0], builder, generation, tended, fence)
            except OldTransaction as exc:  # the next job completes the merge; this one has done what it could
                tended.warnings.append(exc.detail)
                tended.waited = True
                break
        yield []


def plan(conn: Connection, generation: Generation, settings: Settings) -> list[Step]:
    """What is to be done, first things first: sealed segments make every search slower, merging can wait for them."""
    sealed = conn.execute(SQL.sealed_segments, {"generation_id": generation.id}).fetchall()
    steps = [Step([segment_id], rows, in_place=True) for segment_id, rows in sealed]
    sizes = {segment.id: segment for segment in index.indexed(conn, generation.id).get(generation.id, [])}
    if begun := merge.unfinished(conn, generation.id):
        return [*steps, *(Step(left.replaces, 0, begun=left.id) for left in begun)]
    if ids := index.next_merge(conn, generation, sizes.values(), settings):
        steps.append(Step(ids, sum(sizes[id_].live_rows for id_ in ids)))
    return steps


def _do(step: Step, builder: Connection, generation: Generation, tended: Tended, fence: merge.Fence) -> None:
    if step.in_place:
        segments.wait_for_writers(builder, step.segment_ids)
        hnsw.build_in_place(builder, generation, step.segment_ids[0])
        tended.built += 1
        return
    if step.begun:
        merge.swap(builder, generation, step.begun, step.segment_ids, fence)
    else:
        merge.merge(builder, generation, step.segment_ids, fence)
    _count_merge(step.segment_ids, tended)
    tended.dropped += removal.drop_retired(builder, generation.id)


def _clear(builder: Connection, generation: Generation, tended: Tended) -> None:
    """Removes what a killed worker has left of a merge, unless it can be completed, and what was replaced."""
    for left in merge.unfinished(builder, generation.id):
        if not left.complete:
            removal.drop(builder, generation.id, left.id)
    tended.dropped += removal.drop_retired(builder, generation.id)


def _count_merge(replaced: list[int], tended: Tended) -> None:
    if len(replaced) > 1:
        tended.merged += 1
    else:
        tended.rewritten += 1


def _warn(step: Step, generation: Generation, settings: Settings, tended: Tended) -> None:
    sentence = memory.warning(step.rows, settings.maintenance_work_mem_mb, generation)
    if sentence and sentence not in tended.warnings:
        tended.warnings.append(sentence)


@contextmanager
def _left_tidy(builder: Connection, generation: Generation, renew: merge.Fence) -> Generator[None]:
    """After a failure, removes what only takes up room; what cannot be removed now, the next attempt removes."""
    try:
        yield
    except psycopg.Error as exc:
        with suppress(psycopg.Error, ClaimLost):
            renew(builder)
            for left in merge.unfinished(builder, generation.id):
                if not left.complete:
                    removal.drop(builder, generation.id, left.id)
            for step in builder.execute(SQL.sealed_segments, {"generation_id": generation.id}).fetchall():
                hnsw.drop_invalid(builder, generation, step[0])
        if isinstance(exc, DiskFull):
            raise Permanent(
                f"PostgreSQL's disk is full ({exc.diag.message_primary}): the index that stood serves on; make room, "
                "then ask for index:rebuild, or wait until it is tried again",
                code="disk_full",
            ) from exc
        raise
