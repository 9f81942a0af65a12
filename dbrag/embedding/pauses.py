"""A model whose provider gives nothing is left alone by everybody: a circuit breaker, kept beside the claims.

One row a model. While it is paused nobody claims texts for it. When the pause is over after failures, one claim probes,
and the others wait for what comes of it: success removes the row, failure makes the pause longer. A probe whose worker
dies is followed by the next one when its time is over.
"""

from datetime import datetime
from typing import cast

import structlog
from prometheus_client import Counter

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.embedding.failures import ProviderFailed, RateLimited
from dbrag.errors import Transient
from dbrag.jobs.retry import LONGEST_DELAY_S, delay_s

SQL = beside(__file__, "pauses.sql")
OPENS_AFTER = 3
"""Failures in a row that are taken for an outage; before that it may be the texts. A refused key is known at once."""
PROBE_INPUTS = 64
"""Texts of the request that a probe makes."""
LIMIT_WAIT_S = 10.0
"""What a limit, a spent budget or a refused key is given to change, where the provider does not say, in seconds."""
MAX_PAUSE_S = 600.0
"""A limit for a day may ask for hours; so often it is tried whether its owner has raised it."""

PAUSES = Counter("dbrag_provider_pauses", "Times that a model was left alone, or for longer, by reason.", ["code"])

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def is_open(failures: int | None) -> bool:
    """Whether only a probe may ask."""
    return failures is not None and failures >= OPENS_AFTER


def after(error: Transient, failures: int, spread: float | None = None) -> tuple[int, float]:
    """The failures in a row, and the seconds of pause (0: none), when this one follows on so many; pure.

    `spread` as in `retry.delay_s`. A rate limit is an answer: it is no failure.
    """
    asked_s = min(error.retry_after_s or 0.0, MAX_PAUSE_S)
    if isinstance(error, RateLimited):
        return 0, asked_s or LIMIT_WAIT_S
    if isinstance(error, ProviderFailed):
        failures += 1
        pause_s = delay_s(failures - OPENS_AFTER + 1, spread) if failures >= OPENS_AFTER else 0.0
        return failures, max(pause_s, asked_s) if pause_s else 0.0
    failures = max(failures + 1, OPENS_AFTER)
    return failures, max(asked_s, min(LONGEST_DELAY_S, LIMIT_WAIT_S * 2 ** min(failures - OPENS_AFTER, 10)))


def begin(conn: Connection, model: str, error: Transient, *, probes: bool, blamed: bool) -> datetime:
    """Counts a failure; returns until when the model is left alone, which may be past.

    Where it is open already only the probe counts: the others were under way when the outage began. Where the texts may
    be to blame (`blamed`), since the probe's harmless one was answered, the pause is the shortest: by then these texts
    wait for longer, and the next probe is made with others.
    """
    reason = {"model": model, "code": error.code, "detail": error.detail}
    failures, until = cast("tuple[int, datetime]", conn.execute(SQL.note_failure, reason).fetchone())
    if is_open(failures) and not probes:
        return until
    failures, pause_s = after(error, OPENS_AFTER - 1 if probes and blamed else failures)
    paused = conn.execute(SQL.pause, reason | {"failures": failures, "pause_s": pause_s, "probes": probes}).fetchone()
    if pause_s:
        PAUSES.labels(error.code).inc()
        log.warning("the model is left alone", model=model, pause_s=pause_s, failures=failures, code=error.code)
    return cast("tuple[datetime]", paused)[0]


def begin_probe(conn: Connection, model: str, wait_s: float) -> None:
    """This claim tries it, and others wait so long for its result."""
    conn.execute(SQL.probe, {"model": model, "wait_s": wait_s})


def end(conn: Connection, model: str) -> None:
    """The provider has answered."""
    if conn.execute(SQL.go_on, {"model": model}).rowcount:
        log.info("the provider answers again", model=model)
