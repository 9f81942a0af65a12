"""The work of `rebuild_index`: seals the fresh segment where that is asked for, and builds the HNSW of sealed ones."""

from uuid import UUID

import structlog
from psycopg.sql import Identifier

from dbrag.database.pool import Connection, connect
from dbrag.database.queries import beside
from dbrag.documents.attempt import attempt, report
from dbrag.errors import NotFound
from dbrag.jobs import claims
from dbrag.jobs.lease import kept_alive
from dbrag.jobs.model import Claim
from dbrag.jobs.settle import finish
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from dbrag.vectors import filling, generations, segments
from dbrag.vectors.model import Generation
from dbrag.vectors.tables import segment_table, segment_table_name

SQL = beside(__file__)
log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def rebuild_index(runtime: Runtime, job_id: UUID) -> dict[str, object]:
    """Builds what has no index yet; a segment that has one is left as it is.

    Returns how the job stands. Raises: AttemptFailed.
    """
    with runtime.pool.connection() as conn:
        claim = claims.take(conn, job_id, runtime.settings)
    if claim is None or claim.generation_id is None:
        log.info("nothing to claim: the job is over, at work elsewhere, or not due", job_id=str(job_id))
        return {"claimed": False}
    with attempt(runtime, claim), kept_alive(runtime.pool, claim, runtime.settings):
        _build_all(runtime, claim, claim.generation_id)
    return report(runtime, claim)


def _build_all(runtime: Runtime, claim: Claim, generation_id: int) -> None:
    if claim.params.get("fill"):
        with runtime.pool.connection() as conn:
            generation = generations.by_id(conn, [generation_id])[generation_id]
        if filling.fill(runtime, claim, generation):
            with runtime.pool.connection() as conn:
                filling.serve(conn, claim, generation, runtime.settings)
        return
    with runtime.pool.connection() as conn:
        generation = generations.by_id(conn, [generation_id]).get(generation_id)
        if generation is None:
            raise NotFound("the collection has been deleted")
        if claim.params.get("seal"):
            segments.seal(conn, generation.id)
        sealed = [row[0] for row in conn.execute(SQL.sealed_segments, {"generation_id": generation.id})]
        claims.set_steps(conn, claim, len(sealed))
    with connect(runtime.settings, autocommit=True) as conn:
        _set_memory(conn, runtime.settings)
        for segment_id in sealed:
            log.info("building an index", job_id=str(claim.id), segment_id=segment_id)
            build_segment(conn, generation, segment_id)
            with runtime.pool.connection() as counting:
                claims.renew(counting, claim, runtime.settings)
                claims.count_step(counting, claim)
    with runtime.pool.connection() as conn:
        claims.renew(conn, claim, runtime.settings)
        finish(conn, [claim.id])


def build_segment(conn: Connection, generation: Generation, segment_id: int) -> None:
    """Builds one segment's HNSW; `conn` is in autocommit, as CONCURRENTLY wants it.

    What an interrupted build left behind is dropped first, so this may be repeated at any time.
    """
    name = f"{segment_table_name(generation.id, segment_id)}_hnsw"
    names = {
        "index": Identifier(name),
        "segment": segment_table(generation.id, segment_id),
        "operators": Identifier(f"{generation.storage}_cosine_ops"),
        "m": generation.m,
        "ef_construction": generation.ef_construction,
    }
    valid = conn.execute(SQL.index_is_valid, {"index": name}).fetchone()
    if valid == (False,):
        conn.execute(SQL.drop_index.format(**names))
    if valid != (True,):
        conn.execute(SQL.create_index.format(**names))
    conn.execute(SQL.analyze_segment.format(**names))
    conn.execute(SQL.mark_indexed, {"id": segment_id})


def _set_memory(conn: Connection, settings: Settings) -> None:
    conn.execute(
        SQL.set_build_memory,
        {"memory": f"{settings.maintenance_work_mem_mb}MB", "workers": str(settings.index_build_workers)},
    )
