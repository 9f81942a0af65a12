"""Claiming texts for one request, across documents and jobs, and giving them back."""

from datetime import UTC, datetime, timedelta
from time import sleep
from uuid import uuid4

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.embedding import pack
from dbrag.embedding.failures import ProviderFailed
from dbrag.embedding.model import Batch, Text
from dbrag.errors import Transient
from dbrag.jobs import holds
from dbrag.jobs.retry import delay_s
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from dbrag.vectors import generations, index

SQL = beside(__file__)
# Any constant will do, as long as only claims take it.
CLAIM_LOCK = 0x636C61696D
# Fewer texts than this are worth waiting a moment for others, in seconds.
LITTLE, LINGER_S = 100, 0.02
# What a limit, a spent budget or a refused key is given to change, where the provider does not say, in seconds.
LIMIT_WAIT_S = 10.0


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
    overdue = list(index.overdue(conn, settings))
    if conn.execute(SQL.next_model, {"overdue": overdue}).fetchone() is None:
        return None
    conn.execute(SQL.lock_claims, {"key": CLAIM_LOCK})
    wanted = conn.execute(SQL.next_model, {"overdue": overdue}).fetchone()
    if wanted is None:
        return None
    model, dimensions = wanted
    candidates = conn.execute(
        SQL.candidates,
        {"model": model, "dimensions": dimensions, "overdue": overdue, "limit": settings.request_inputs},
    ).fetchall()
    if not candidates:  # whoever asks for the same texts right now takes these next
        return None
    count = pack.take(
        [tokens for _, _, tokens, _ in candidates],
        pack.inputs_after(candidates[0][3], settings.request_inputs),
        settings.request_tokens,
    )
    claim_id = uuid4()
    conn.execute(
        SQL.claim,
        {
            "claim_id": claim_id,
            "lease_s": settings.lease_s,
            "chunk_ids": [row[0] for row in candidates[:count]],
            "generation_ids": [row[1] for row in candidates[:count]],
        },
    )
    conn.execute(SQL.drop_dead, {"claim_id": claim_id})
    texts = [Text._make(row) for row in conn.execute(SQL.claimed_texts, {"claim_id": claim_id})]
    holds.end(conn, {text.job_id for text in texts})
    return Batch(
        claim_id,
        model,
        dimensions,
        texts,
        generations.by_id(conn, {text.generation_id for text in texts}),
        more=count < len(candidates) or len(candidates) == settings.request_inputs,
    )


def give_back(conn: Connection, batch: Batch, error: Transient) -> None:
    """Lets the batch's texts wait for as long as the provider says, or longer each time; their jobs say why."""
    failed = isinstance(error, ProviderFailed)
    deferrals = max(text.deferrals for text in batch.texts)
    wait_s = error.retry_after_s or (delay_s(deferrals + 1) if failed else LIMIT_WAIT_S)
    not_before = datetime.now(UTC) + timedelta(seconds=wait_s)
    rows = conn.execute(
        SQL.give_back, {"claim_id": batch.claim_id, "not_before": not_before, "failures": int(failed)}
    ).fetchall()
    holds.begin(conn, {row[0] for row in rows}, error, not_before)
