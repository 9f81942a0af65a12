"""What jobs wait for outside of themselves: held while it lasts, let go when it is over; a page of jobs a call."""

from collections.abc import Collection

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.jobs.model import Queue
from dbrag.settings import Settings
from dbrag.vectors import index

SQL = beside(__file__, "waits.sql")
# Jobs in one page.
PAGE = 500
# Why the provider gives nothing.
PROVIDER_CODES = ["rate_limited", "out_of_quota", "key_refused", "provider_failed"]


def hold_for_index(conn: Connection, settings: Settings) -> int:
    """Jobs whose collection has too many vectors without an index; whoever claims texts leaves theirs alone."""
    rows = settings.unindexed_rows
    detail = (
        f"more than {rows} vectors of the collection wait for their index; embedding goes on as rebuild_index "
        "catches up. Let more workers serve the queue low, or raise DBRAG_UNINDEXED_ROWS and accept slower searches"
    )
    overdue = list(index.overdue(conn, settings))
    return conn.execute(SQL.hold_for_index, {"generation_ids": overdue, "limit": PAGE, "detail": detail}).rowcount


def end_for_index(conn: Connection, settings: Settings) -> int:
    """Jobs whose collection has its index."""
    overdue = list(index.overdue(conn, settings))
    return conn.execute(SQL.indexed_again, {"generation_ids": overdue, "limit": PAGE}).rowcount


def hold_paused(conn: Connection, settings: Settings) -> int:
    """Jobs of paused collections."""
    detail = "its collection is paused; it goes on when the collection is resumed"
    return conn.execute(SQL.hold_paused, {"detail": detail, "limit": PAGE}).rowcount


def end_paused(conn: Connection, settings: Settings) -> int:
    """Jobs of collections that were resumed."""
    return conn.execute(SQL.resumed, {"limit": PAGE}).rowcount


def hold_for_provider(conn: Connection, settings: Settings) -> int:
    """Jobs whose provider gives nothing (table `pauses`)."""
    return conn.execute(SQL.hold_for_provider, {"codes": PROVIDER_CODES, "limit": PAGE}).rowcount


def end_for_provider(conn: Connection, settings: Settings) -> int:
    """Jobs whose provider gives again, and whose texts need not wait."""
    waits = {"codes": PROVIDER_CODES, "probe_s": settings.provider_timeout_s, "limit": PAGE}
    return conn.execute(SQL.provider_again, waits).rowcount


def hold_for_budget(conn: Connection, settings: Settings) -> int:
    """Jobs whose tenant's budget is spent; whoever claims texts leaves theirs alone."""
    return conn.execute(SQL.hold_for_budget, {"limit": PAGE}).rowcount


def end_for_budget(conn: Connection, settings: Settings) -> int:
    """Jobs whose tenant may spend again."""
    return conn.execute(SQL.within_budget, {"limit": PAGE}).rowcount


def hold_without_consumer(conn: Connection, queues: Collection[Queue]) -> int:
    """Jobs of queues that no worker serves."""
    return conn.execute(SQL.hold_without_consumer, {"queues": list(queues), "limit": PAGE}).rowcount if queues else 0


def end_without_consumer(conn: Connection, queues: Collection[Queue]) -> int:
    """Jobs of queues that a worker serves again."""
    return conn.execute(SQL.consumed_again, {"queues": list(queues), "limit": PAGE}).rowcount
