"""The work of a `rebuild_index` that fills a new generation: pass by pass over the chunks, checked, then serving.

A pass puts every chunk that has no vector in the new generation on the pending table. After the first one the
generation catches up: from then on documents go live with their vectors in both generations, so that what is missing
only gets less. When a pass has found nothing missing, and nothing that searches see waits, the generation is complete.
"""

from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any

from dbrag.accounts import budgets
from dbrag.database.pool import Connection, connect
from dbrag.database.queries import beside
from dbrag.documents import collections, versions
from dbrag.errors import NotFound, Permanent, Transient
from dbrag.jobs import claims
from dbrag.jobs.lease import Drained, kept_alive
from dbrag.jobs.model import Claim, Queue
from dbrag.jobs.settle import finish
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from dbrag.vectors import generations, probes, segments
from dbrag.vectors.model import Generation, GenerationStatus, Recall
from dbrag.vectors.tables import generation_table
from dbrag.vectors.tend import tend

SQL = beside(__file__, "replacement.sql")
# Chunks that one statement looks at.
SLICE_CHUNKS = 2000
# Texts that wait at most: enough to keep the workers busy, and soon gone where the job is cancelled.
WAITING_AT_MOST = 20_000
# Texts that may wait when the generation begins to catch up: new documents wait for them, too.
CATCH_UP_AT = 2048
# The part of a lease after which the job leaves its worker to others; and what it then waits, in seconds.
SLICE, LOOK_AGAIN_S = 0.25, 1.0


class Waiting(Exception):
    """There is nothing to do now; says for what."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A way through the collection's chunks, in the order of hash (hex) and id: how far it is, and what was missing."""

    after_hash: str = ""
    after_id: int = 0
    missing: int = 0
    ended: bool = False


def fill(runtime: Runtime, claim: Claim, generation: Generation) -> None:
    """Takes a claimed job one slice further: it is put off until texts have their vectors, or the generation serves.

    The caller keeps the claim alive.

    Raises: Permanent where a text is refused, or the index does not find enough; Drained where the process is to end.
    """
    reason = _advance(runtime, claim, generation)
    if reason is None:
        with runtime.pool.connection() as conn:
            segments.seal(conn, generation.id)
    done = tend(runtime, claim, generation)
    if reason is None:
        found = _measure(runtime, claim, generation)
        with runtime.pool.connection() as conn:
            _serve(conn, claim, generation, runtime.settings, asdict(done) | {"recall_at_10": found.recall_at_10})
    else:
        with runtime.pool.connection() as conn:
            budget = budgets.find(conn, claim.tenant_id)
            code, detail = ("budget", budget.detail) if budget and budget.is_spent else ("embedding", reason)
            claims.put_off(conn, claim, code, detail, LOOK_AGAIN_S)


def _advance(runtime: Runtime, claim: Claim, generation: Generation) -> str | None:
    """Fills until nothing is missing (None), or there is nothing to do for now, with the reason."""
    deadline = monotonic() + SLICE * runtime.settings.lease_s
    pass_ = Pass(**claim.params.get("pass", {}))
    with runtime.pool.connection() as conn:
        segments.ensure_fresh(conn, generation.id)
        if "pass" not in claim.params:
            _begin(conn, claim, runtime.settings)
    try:
        while monotonic() < deadline:
            if runtime.draining():
                raise Drained
            with runtime.pool.connection() as conn:
                claims.renew(conn, claim, runtime.settings)
            with runtime.pool.connection() as conn:
                next_pass = _step(conn, claim, generation.id, pass_, runtime.settings)
            if next_pass is None:
                return None
            pass_ = next_pass
    except Waiting as waiting:
        return str(waiting)
    return "its turn comes again"


def _measure(runtime: Runtime, claim: Claim, generation: Generation) -> Recall:
    """Raises: Permanent where the new index finds too little to serve."""
    settings = runtime.settings
    with (
        connect(settings, autocommit=True) as conn,
        kept_alive(runtime.pool, claim, settings, stop=conn.cancel_safe, draining=runtime.draining),
    ):
        found = probes.probe(conn, generation, settings)
    if found.recall_at_10 < settings.recall_floor:
        raise Permanent(
            f"the new index finds {found.recall_at_10:.0%} of the ten nearest, less than DBRAG_RECALL_FLOOR "
            f"({settings.recall_floor:.0%}): PUT the collection with a larger ef_construction or m, or lower the floor",
            code="recall_too_low",
        )
    return found


def _begin(conn: Connection, claim: Claim, settings: Settings) -> None:
    counted = conn.execute(SQL.count_chunks_of_collection, {"collection_id": claim.collection_id}).fetchone()
    claims.set_steps(conn, claim, 1)
    claims.renew(conn, claim, settings, chunks=counted[0] if counted else 0)
    claims.remember(conn, claim, {"pass": asdict(Pass())})


def _step(conn: Connection, claim: Claim, generation_id: int, pass_: Pass, settings: Settings) -> Pass | None:
    """The pass as it stands after one step; None where nothing is missing. Raises: Waiting, Permanent."""
    generation = generations.by_id(conn, [generation_id]).get(generation_id)
    if generation is None:
        raise NotFound("the collection has been deleted")
    _check_state(conn, generation)
    waiting = _count_waiting(conn, generation)
    if not pass_.ended:
        if waiting + SLICE_CHUNKS > WAITING_AT_MOST:
            raise Waiting("thousands of texts wait for their vectors in the new generation")
        return _fill_slice(conn, claim, generation, pass_, settings)
    catching_up = generation.status is GenerationStatus.CATCHING_UP
    if catching_up and not pass_.missing:
        if conn.execute(SQL.is_complete, {"generation_id": generation.id}).fetchone() == (True,):
            return None
        raise Waiting("the last texts wait for their vectors in the new generation")
    if waiting > CATCH_UP_AT:
        raise Waiting(f"{waiting:,} texts wait for their vectors in the new generation")
    if not catching_up:
        conn.execute(SQL.catch_up, {"id": generation.id})
    claims.remember(conn, claim, {"pass": asdict(Pass())})
    return Pass()


def _check_state(conn: Connection, generation: Generation) -> None:
    conn.execute(SQL.notice, {"id": generation.id})
    row = conn.execute(SQL.since, {"id": generation.id}).fetchone()
    assert row is not None
    refusal, everybody_knows = row
    if not generation.is_being_built:
        raise Permanent("the generation was given up: PUT the collection again", code="abandoned")
    if refusal:
        raise Permanent(f"a text gets no vector with the new settings: {refusal['detail']}", code=refusal["code"])
    if not everybody_knows:
        raise Waiting("a transaction is still open that is older than the change")


def _count_waiting(conn: Connection, generation: Generation) -> int:
    counted = conn.execute(SQL.count_waiting, {"generation_id": generation.id, "limit": WAITING_AT_MOST + 1}).fetchone()
    return counted[0] if counted else 0


def _fill_slice(conn: Connection, claim: Claim, generation: Generation, pass_: Pass, settings: Settings) -> Pass:
    """Locks as everybody does: documents, then texts, then the job."""
    after = {"after_hash": bytes.fromhex(pass_.after_hash), "after_id": pass_.after_id, "limit": SLICE_CHUNKS}
    chunks = conn.execute(SQL.slice, {"collection_id": generation.collection_id} | after).fetchall()
    chunk_ids = [id_ for _, id_ in chunks]
    versions.lock_of_chunks(conn, chunk_ids)
    missing = conn.execute(
        SQL.fill.format(table=generation_table(generation.id)),
        {
            "chunk_ids": chunk_ids,
            "generation_id": generation.id,
            "model": generation.model,
            "dimensions": generation.dimensions,
            "job_id": claim.id,
            "rank": Queue.LOW.rank,
        },
    ).rowcount
    first_pass = generation.status is GenerationStatus.BUILDING
    claims.renew(conn, claim, settings, chunks_done=len(chunks) - missing if first_pass else 0)
    hash_, id_ = chunks[-1] if chunks else (b"", 0)
    next_pass = Pass(bytes(hash_).hex(), id_, pass_.missing + missing, ended=len(chunks) < SLICE_CHUNKS)
    claims.remember(conn, claim, {"pass": asdict(next_pass)})
    return next_pass


def _serve(conn: Connection, claim: Claim, generation: Generation, settings: Settings, result: dict[str, Any]) -> None:
    """Lets the generation serve, in the caller's transaction, and ends the job; the one before is kept for a while.

    Raises: Permanent where the two do not have the same rows.
    """
    serving = generations.of_collection(conn, generation.collection_id)
    if not segments.has_table(conn, serving.id):  # nothing was ever written to it
        segments.ensure_fresh(conn, serving.id)
    counted = conn.execute(
        SQL.live_rows.format(serving=generation_table(serving.id), table=generation_table(generation.id)),
    ).fetchone()
    before, now = counted or (0, 0)
    if before != now:
        raise Permanent(f"the new generation has {now} rows, the old one {before}: a defect of dbrag", code="internal")
    keep = {"collection_id": generation.collection_id, "keep_s": settings.keep_generation_s}
    conn.execute(SQL.keep_serving, keep)
    if conn.execute(SQL.serve, {"id": generation.id}).rowcount != 1:
        raise Transient("a text was refused in between, or the generation was given up", code="not_complete")
    claims.renew(conn, claim, settings)
    claims.note(conn, claim, result)
    claims.count_step(conn, claim)
    finish(conn, [claim.id])
    collections.count_version(conn, [generation.collection_id])
