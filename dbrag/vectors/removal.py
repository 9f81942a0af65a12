"""Removing segments that nothing needs any more, once nobody can be reading them."""

from contextlib import suppress
from time import monotonic
from typing import Any

import structlog
from psycopg.errors import LockNotAvailable, QueryCanceled
from psycopg.sql import Identifier

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.errors import Transient
from dbrag.vectors.hnsw import BUILDERS
from dbrag.vectors.tables import generation_table, segment_table, segment_table_name

SQL = beside(__file__, "removal.sql")
log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
# How long to wait for transactions that may still be reading, in seconds; searches take milliseconds.
PATIENCE_S = 60.0
PAUSE_S, PAUSE_AT_MOST_S = 0.01, 0.5


class OldTransaction(Transient):
    """A transaction that may still read what is to be exchanged does not end; `detail` names its process."""

    code = "old_transaction"


def wait_for_older(conn: Connection, patience_s: float = PATIENCE_S) -> None:
    """Waits until every transaction that runs now, in any session, has ended; `conn` is in autocommit.

    By transactions and not by snapshots: between planning and running a query, a transaction has none.

    Raises: OldTransaction.
    """
    deadline, pause_s = monotonic() + patience_s, PAUSE_S
    older = _running(conn)
    while older:
        if monotonic() > deadline:
            pids = sorted({pid for pid, _ in older})
            raise OldTransaction(
                f"the transactions of PostgreSQL's processes {pids} have not ended for {patience_s:.0f} s, and "
                "segments cannot be exchanged before: look into pg_stat_activity, and use pg_terminate_backend",
            )
        conn.execute("SELECT pg_sleep(%s)", [pause_s])  # in the server, where a worker that is to end interrupts it
        pause_s = min(2 * pause_s, PAUSE_AT_MOST_S)
        older &= _running(conn)


def drop_retired(conn: Connection, generation_id: int, patience_s: float = PATIENCE_S) -> int:
    """Drops retired segments and returns how many; those that may still be read stay for the next time."""
    retired = [row[0] for row in conn.execute(SQL.retired_segments, {"generation_id": generation_id})]
    dropped = 0
    try:
        if retired:
            wait_for_older(conn, patience_s)
        for segment_id in retired:
            drop(conn, generation_id, segment_id, patience_s)
            dropped += 1
    except (OldTransaction, QueryCanceled) as exc:
        log.info("retired segments are dropped later", generation_id=generation_id, reason=str(exc))
    return dropped


def drop(conn: Connection, generation_id: int, segment_id: int, patience_s: float = PATIENCE_S) -> None:
    """Detaches and drops one segment, from wherever an earlier attempt has stopped.

    Raises: QueryCanceled where its readers do not end in time.
    """
    names: dict[str, Any] = {
        "table": generation_table(generation_id),
        "segment": segment_table(generation_id, segment_id),
    }
    for (half,) in conn.execute(SQL.half_detached, {"table": f"generation_{generation_id}"}).fetchall():
        conn.execute(SQL.finish_detach.format(table=names["table"], segment=Identifier(half)))
    attachment = conn.execute(
        SQL.attachment, {"segment": segment_table_name(generation_id, segment_id)}
    ).fetchone() or (None,)
    if attachment[0] is not None:
        detach = SQL.finish_detach if attachment[0] else SQL.detach
        conn.execute(SQL.limit_statements, {"limit": f"{patience_s:.3f}s"})
        try:
            conn.execute(detach.format(**names))
        finally:
            conn.execute(SQL.limit_statements, {"limit": "0"})
    with conn.transaction():
        conn.execute(SQL.drop_segment_table.format(**names))
        conn.execute(SQL.delete_segment, {"id": segment_id})


def drop_orphans(conn: Connection) -> int:
    """Drops tables that merges of deleted collections left behind; waits for no build that still runs in one."""
    conn.execute(SQL.lock_at_once)
    orphans = [row[0] for row in conn.execute(SQL.orphans)]
    dropped = 0
    for name in orphans:
        with suppress(LockNotAvailable), conn.transaction():
            conn.execute(SQL.drop_segment_table.format(segment=Identifier(name)))
            dropped += 1
    return dropped


def _running(conn: Connection) -> set[tuple[int, str]]:
    return {(row[0], row[1]) for row in conn.execute(SQL.running_transactions, {"builders": BUILDERS})}
