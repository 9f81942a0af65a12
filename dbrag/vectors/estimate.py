"""What a new generation would cost, before anything is done: texts, tokens, money, time."""

from pydantic.dataclasses import dataclass

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.settings import Settings
from dbrag.vectors import segments
from dbrag.vectors.model import Generation, Target

SQL = beside(__file__, "replacement.sql")
# Chunks that are counted one by one; beyond that the rest is taken to be like them.
SAMPLE_CHUNKS = 100_000
# Measured on two cores (docs/performance.md): texts embedded, and rows indexed, in a second.
TEXTS_PER_S, ROWS_PER_S = 700.0, 1_300.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """`texts` are to be paid for, equal ones once, and `tokens` are what they weigh at most; `exact` is False where
    they were extrapolated from a sample."""

    rows: int
    texts: int
    tokens: int
    cost_usd: float
    seconds: float
    exact: bool


NOTHING = Estimate(0, 0, 0, 0.0, 0.0, True)


def estimate(conn: Connection, serving: Generation, target: Target, settings: Settings) -> Estimate:
    """What it would take to bring a collection from the generation that serves to `target`."""
    if serving.target == target:
        return NOTHING
    sampled = conn.execute(
        SQL.sample_chunks, {"collection_id": serving.collection_id, "limit": SAMPLE_CHUNKS}
    ).fetchone()
    chunks, texts, tokens = sampled or (0, 0, 0)
    exact = chunks < SAMPLE_CHUNKS
    rows = chunks if exact else max(chunks, segments.estimated_rows(conn, serving.id))
    paid = 0.0 if serving.can_be_copied_to(target) else rows / max(1, chunks)
    texts, tokens = round(texts * paid), round(tokens * paid)
    return Estimate(
        rows=rows,
        texts=texts,
        tokens=tokens,
        cost_usd=settings.price_usd(target.model, tokens),
        seconds=round(max(rows / TEXTS_PER_S, _limit_s(tokens, settings)) + rows / ROWS_PER_S, 1),
        exact=exact,
    )


def _limit_s(tokens: int, settings: Settings) -> float:
    """The time that the provider's limit makes of it, where it is known from the settings."""
    return 60 * tokens / settings.tokens_per_minute if settings.tokens_per_minute else 0.0
