"""The work of `rebuild_index`: tends a generation that serves, or fills a new one that will."""

from functools import partial
from uuid import UUID

import structlog

from dbrag.documents.attempt import attempt, report
from dbrag.errors import NotFound
from dbrag.jobs import claims
from dbrag.jobs.lease import kept_alive
from dbrag.jobs.model import Claim
from dbrag.runtime import Runtime
from dbrag.vectors import build, filling, generations, hnsw
from dbrag.vectors.model import Generation

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def rebuild_index(runtime: Runtime, job_id: UUID) -> dict[str, object]:
    """Runs one attempt at the job, or one slice of it.

    Returns how the job stands. Raises: AttemptFailed.
    """
    with runtime.pool.connection() as conn:
        claim = claims.take(conn, job_id, runtime.settings)
    if claim is None or claim.generation_id is None:
        log.info("nothing to claim: the job is over, at work elsewhere, or not due", job_id=str(job_id))
        return {"claimed": False}
    with attempt(runtime, claim):
        with runtime.pool.connection() as conn:
            generation = generations.by_id(conn, [claim.generation_id]).get(claim.generation_id)
        if generation is None:
            raise NotFound("the collection has been deleted")
        (_fill if claim.params.get("fill") else _tend)(runtime, claim, generation)
    return report(runtime, claim)


def _tend(runtime: Runtime, claim: Claim, generation: Generation) -> None:
    with (
        hnsw.session(runtime.settings) as builder,
        kept_alive(
            runtime.pool,
            claim,
            runtime.settings,
            report=partial(hnsw.record_share, builder, claim),
            stop=builder.cancel_safe,
        ),
    ):
        build.rebuild(runtime, claim, generation, builder)


def _fill(runtime: Runtime, claim: Claim, generation: Generation) -> None:
    with kept_alive(runtime.pool, claim, runtime.settings):
        filling.fill(runtime, claim, generation)
