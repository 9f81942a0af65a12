"""Claiming texts for one request, across documents and jobs, and giving them back."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import sleep
from uuid import uuid4

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.embedding import pack, pauses, turns
from dbrag.embedding.failures import NotGranted
from dbrag.embedding.model import Batch, Text
from dbrag.embedding.turns import Waiting
from dbrag.embedding.waiting import Candidate, candidates, waiting
from dbrag.errors import Transient
from dbrag.jobs import holds
from dbrag.jobs.retry import delay_s
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from dbrag.vectors import generations

SQL = beside(__file__)
# Any constant will do, as long as only claims take it.
CLAIM_LOCK = 0x636C61696D
# Fewer texts than this are worth waiting a moment for others, in seconds.
LITTLE, LINGER_S = 100, 0.02
# How long a probe may take, as a share of a lease: the harmless text, the limits' patience and the request.
PROBE_SHARE = 0.8


def claim_full(runtime: Runtime) -> Batch | None:
    """As `claim`; where little waits, and more is just being split, it lingers first, so that requests are fuller."""
    for lingers in (True, False):
        with runtime.pool.connection() as conn:
            if not (lingers and conn.execute(SQL.little_waits, {"little": LITTLE}).fetchone() == (True,)):
                return claim(conn, runtime.settings)
        sleep(LINGER_S)
    return None


def claim(conn: Connection, settings: Settings) -> Batch | None:
    """The most urgent texts that wait for the same model, as many as fit into a request; None where none wait.

    A short transaction: the lease, not a lock, protects the claim from here on.
    """
    if not waiting(conn, settings):
        return None
    conn.execute(SQL.lock_claims, {"key": CLAIM_LOCK})
    there = waiting(conn, settings)
    while there:
        lead = turns.draw(there)
        probes = pauses.is_open(lead.failures)
        limit = min(pauses.PROBE_INPUTS if probes else settings.request_inputs, settings.request_inputs)
        found = candidates(conn, there, lead, limit)
        if found:
            fitting = _fitting(found, settings)
            more = (len(found) == limit or len(fitting) < len(found)) and not probes
            return _claim(conn, settings, lead, fitting, more=more)
        # Whoever asks for the same texts right now takes these next.
        there = [one for one in there if (one.model, one.dimensions) != (lead.model, lead.dimensions)]
    return None


def _fitting(found: Sequence[Candidate], settings: Settings) -> list[Candidate]:
    """Those that go into one request; what has to be asked for in smaller ones is not mixed with the others."""
    limit = settings.request_inputs
    most = pack.inputs_after(found[0].deferrals, limit)
    similar = [one for one in found if pack.inputs_after(one.deferrals, limit) >= most]
    return similar[: pack.take([one.tokens for one in similar], most, settings.request_tokens)]


def _claim(conn: Connection, settings: Settings, lead: Waiting, fitting: Sequence[Candidate], *, more: bool) -> Batch:
    claim_id = uuid4()
    conn.execute(
        SQL.claim,
        {
            "claim_id": claim_id,
            "lease_s": settings.lease_s,
            "chunk_ids": [one.chunk_id for one in fitting],
            "generation_ids": [one.generation_id for one in fitting],
        },
    )
    conn.execute(SQL.drop_dead, {"claim_id": claim_id})
    texts = [Text._make(row) for row in conn.execute(SQL.claimed_texts, {"claim_id": claim_id})]
    probes = pauses.is_open(lead.failures) and bool(texts)
    if probes:  # their jobs stay held until it has succeeded
        pauses.begin_probe(conn, lead.model, PROBE_SHARE * settings.lease_s)
    else:
        holds.end(conn, {text.job_id for text in texts})
    return Batch(
        claim_id,
        lead.model,
        lead.dimensions,
        texts,
        generations.by_id(conn, {text.generation_id for text in texts}),
        more=more,
        troubled=lead.failures is not None,
        probes=probes,
    )


def still_wanted(runtime: Runtime, batch: Batch, texts: Sequence[Text], positions: Sequence[int]) -> Sequence[int]:
    """Those of the positions in `texts` that somebody still needs: jobs are cancelled while a batch waits."""
    with runtime.pool.connection() as conn:
        wanted = {row[0] for row in conn.execute(SQL.still_wanted, {"claim_id": batch.claim_id})}
    return [position for position in positions if texts[position].hash in wanted]


def is_old(runtime: Runtime, text: Text) -> bool:
    """Whether its job has waited for longer than a brown-out lasts: lost workers count as failures of a text too."""
    with runtime.pool.connection() as conn:
        return conn.execute(SQL.is_old, {"job_id": text.job_id}).fetchone() == (True,)


def give_back(conn: Connection, batch: Batch, error: Transient, paused_until: datetime | None, *, blamed: bool) -> None:
    """Lets the batch's texts be claimed by others; their jobs say what they wait for.

    `paused_until` holds for all texts of the model. What may have failed because of its own texts (`blamed`) waits on
    its own as well, longer each time, and so does what the limits leave no room for.
    """
    not_before = _not_before(batch, error, blamed=blamed)
    rows = conn.execute(
        SQL.give_back, {"claim_id": batch.claim_id, "not_before": not_before, "failures": int(blamed)}
    ).fetchall()
    untils = [until for until in (paused_until, not_before) if until]
    if untils:
        holds.begin(conn, {row[0] for row in rows}, error, max(untils))


def _not_before(batch: Batch, error: Transient, *, blamed: bool) -> datetime | None:
    if isinstance(error, NotGranted):
        wait_s = error.retry_after_s or pauses.LIMIT_WAIT_S
    elif blamed:
        wait_s = max(delay_s(1 + max(text.deferrals for text in batch.texts)), error.retry_after_s or 0)
    else:
        return None
    return datetime.now(UTC) + timedelta(seconds=wait_s)
