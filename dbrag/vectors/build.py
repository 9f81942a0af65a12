"""The work of `rebuild_index`: tends a generation, its fresh segment sealed first where asked, or fills a new one."""

from dataclasses import asdict
from functools import partial
from uuid import UUID

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.documents.attempt import attempt, begin, report
from dbrag.errors import NotFound
from dbrag.jobs import claims
from dbrag.jobs.lease import kept_alive
from dbrag.jobs.model import Claim
from dbrag.jobs.settle import finish
from dbrag.runtime import Runtime
from dbrag.vectors import filling, generations, hnsw, segments
from dbrag.vectors.model import Generation
from dbrag.vectors.tend import Tended, steps

SQL = beside(__file__)


def rebuild_index(runtime: Runtime, job_id: UUID) -> dict[str, object]:
    """Tends one generation, where a segment that needs nothing is left as it is; or fills a new one, by a slice.

    Returns how the job stands. Raises: AttemptFailed.
    """
    claim = begin(runtime, job_id)
    if claim is None or claim.generation_id is None:
        return {"claimed": False}
    with attempt(runtime, claim):
        with runtime.pool.connection() as conn:
            generation = generations.by_id(conn, [claim.generation_id]).get(claim.generation_id)
        if generation is None:
            raise NotFound("the collection has been deleted")
        (_fill if claim.params.get("fill") else _tend)(runtime, claim, generation)
    return report(runtime, claim)


def _fill(runtime: Runtime, claim: Claim, generation: Generation) -> None:
    with kept_alive(runtime.pool, claim, runtime.settings, draining=runtime.draining):
        filling.fill(runtime, claim, generation)


def _tend(runtime: Runtime, claim: Claim, generation: Generation) -> None:
    with (
        hnsw.session(runtime.settings) as builder,
        kept_alive(
            runtime.pool,
            claim,
            runtime.settings,
            report=partial(hnsw.record_share, builder, claim),
            stop=builder.cancel_safe,
            draining=runtime.draining,
        ),
    ):
        _rebuild(runtime, claim, generation, builder)


def _rebuild(runtime: Runtime, claim: Claim, generation: Generation, builder: Connection) -> None:
    with runtime.pool.connection() as conn:
        if conn.execute(SQL.take_seal, {"id": claim.id, "claim_id": claim.claim_id}).rowcount:
            segments.seal(conn, generation.id)
    tended, counted = Tended(), 0
    try:
        for remaining in steps(runtime, claim, generation, builder, tended):
            with runtime.pool.connection() as conn:
                rows = remaining[0].rows if remaining else 0
                claims.begin_step(conn, claim, done=tended.steps - counted, steps=len(remaining), rows=rows)
            counted = tended.steps
    finally:
        with runtime.pool.connection() as conn:
            claims.note(conn, claim, asdict(tended))
    with runtime.pool.connection() as conn:
        claims.renew(conn, claim, runtime.settings)
        finish(conn, [claim.id])
