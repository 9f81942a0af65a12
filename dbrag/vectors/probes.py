"""Probes: the recall of what serves is measured every hour, kept, and warned about."""

from time import monotonic
from typing import NamedTuple

import structlog
from psycopg.errors import UndefinedTable
from psycopg.rows import class_row

from dbrag.database.pool import Connection, connect
from dbrag.database.queries import beside
from dbrag.errors import Transient
from dbrag.settings import Settings
from dbrag.vectors import recall
from dbrag.vectors.model import Generation, Probe, Recall
from dbrag.vectors.search import EF_SEARCH

SQL = beside(__file__, "recall.sql")
AGE_S = 3600.0
# A duty begins no new probe after this time, and leaves the rest to its next turn.
SLICE_S = 30.0
# Any constant will do, as long as only probes take it.
PROBE_LOCK = 0x70726F6265

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Summary(NamedTuple):
    """The last probes of what serves: how many, how many below their floor, the lowest recall (None without any)."""

    probed: int
    below: int
    lowest: float | None


def probe_due(settings: Settings) -> int:
    """Measures the generations whose last probe is older than an hour, the oldest first; returns how many.

    One at a time in the whole installation: who finds another at work does nothing. On a connection of its own, since
    the lock is the session's: with a transaction's, merging would have to wait for the probe.
    """
    deadline, done = monotonic() + SLICE_S, 0
    with connect(settings, autocommit=True) as conn:
        if conn.execute(SQL.lock_probing, {"key": PROBE_LOCK}).fetchone() != (True,):
            return 0
        while monotonic() < deadline and (generation := _next(conn)) is not None:
            try:
                _tell(generation, probe(conn, generation, settings))
            except (UndefinedTable, Transient) as exc:
                log.info("a generation changed while it was probed", generation_id=generation.id, error=str(exc))
                break
            done += 1
    return done


def last(conn: Connection, generation_id: int) -> Probe | None:
    """The newest probe of a generation."""
    with conn.cursor(row_factory=class_row(Probe)) as cursor:
        return cursor.execute(SQL.last_probe, {"generation_id": generation_id}).fetchone()


def summary(conn: Connection) -> Summary:
    """What all collections together look like."""
    row = conn.execute(SQL.summary).fetchone()
    return Summary(*row) if row else Summary(0, 0, None)


def _next(conn: Connection) -> Generation | None:
    with conn.cursor(row_factory=class_row(Generation)) as cursor:
        return cursor.execute(SQL.next_to_probe, {"age_s": AGE_S}).fetchone()


def probe(conn: Connection, generation: Generation, settings: Settings) -> Recall:
    """Measures a generation as the settings say, and keeps the result; `conn` is in autocommit. Raises: Transient."""
    found = recall.measure(
        conn, generation, samples=settings.recall_samples, ef_search=EF_SEARCH, floor=settings.recall_floor
    )
    recall.record(conn, generation, found)
    return found


def _tell(generation: Generation, found: Recall) -> None:
    tell = log.warning if found.warning else log.info
    tell(
        found.warning or "recall measured",
        generation_id=generation.id,
        collection_id=generation.collection_id,
        recall_at_10=round(found.recall_at_10, 3),
        floor=found.floor,
        ef_search=found.ef_search,
        ef_search_needed=found.ef_search_needed,
    )
