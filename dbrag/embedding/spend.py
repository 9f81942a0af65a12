"""What embedding cost, and what it did not cost, by tenant and job."""

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.database.tenant import as_tenant
from dbrag.embedding import pack
from dbrag.embedding.model import Batch, Text
from dbrag.runtime import Runtime

SQL = beside(__file__)

Payer = tuple[UUID, UUID]
NONE: Mapping[Payer, int] = {}


def record(runtime: Runtime, batch: Batch, asked: Sequence[Text], prompt_tokens: int) -> None:
    """Records a paid request in a transaction of its own, so that a crash later on does not hide what was spent.

    The bill is shared out by the texts' tokens; a text that several jobs wait for is on the bill of the first.
    """
    texts = Counter(map(_payer, asked))
    tokens = Counter[Payer]()
    payers = asked or batch.texts[:1]  # a request that answered no text was made for the sake of one of them
    for text, share in zip(payers, pack.share(prompt_tokens, [text.tokens for text in payers]), strict=True):
        tokens[_payer(text)] += share
    costs = {payer: runtime.settings.price_usd(batch.model, count) for payer, count in tokens.items()}
    with runtime.pool.connection() as conn:
        _insert(conn, batch.model, texts=texts, tokens=tokens, costs=costs)


def record_query(runtime: Runtime, tenant_id: UUID, model: str, prompt_tokens: int) -> None:
    """Records what a search's query cost; no job pays for it."""
    with as_tenant(runtime.pool, tenant_id) as conn:
        conn.execute(
            SQL.record_query,
            {
                "tenant_id": tenant_id,
                "model": model,
                "prompt_tokens": prompt_tokens,
                "cost_usd": runtime.settings.price_usd(model, prompt_tokens),
            },
        )


def record_cached(conn: Connection, batch: Batch, texts: Sequence[Text]) -> None:
    """Records texts that did not have to be paid, in the transaction that writes their vectors."""
    _insert(conn, batch.model, from_cache=Counter(map(_payer, texts)))


def _payer(text: Text) -> Payer:
    return text.tenant_id, text.job_id


def _insert(
    conn: Connection,
    model: str,
    *,
    texts: Mapping[Payer, int] = NONE,
    tokens: Mapping[Payer, int] = NONE,
    from_cache: Mapping[Payer, int] = NONE,
    costs: Mapping[Payer, float] = NONE,
) -> None:
    payers = sorted({*texts, *tokens, *from_cache})
    if payers:
        conn.execute(
            SQL.record_usage,
            {
                "model": model,
                "tenant_ids": [tenant_id for tenant_id, _ in payers],
                "job_ids": [job_id for _, job_id in payers],
                "texts": [texts.get(payer, 0) for payer in payers],
                "prompt_tokens": [tokens.get(payer, 0) for payer in payers],
                "texts_from_cache": [from_cache.get(payer, 0) for payer in payers],
                "costs_usd": [costs.get(payer, 0.0) for payer in payers],
            },
        )
