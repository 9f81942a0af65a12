"""Clearing away generations that nobody needs any more, in slices, so that nobody waits for a long transaction."""

from dbrag.database.pool import Connection, Pool
from dbrag.database.queries import beside
from dbrag.documents import collections, versions
from dbrag.jobs.settle import settle
from dbrag.settings import Settings
from dbrag.vectors import replacement
from dbrag.vectors.tables import generation_table

SQL = beside(__file__, "replacement.sql")
# Texts in one transaction.
SLICE = 2000
# Slices in one call; beat calls again.
SLICES = 100


def clear_generations(pool: Pool, settings: Settings) -> int:
    """Gives up what failed or was kept long enough, and drops what was given up; returns how many tables went."""
    with pool.connection() as conn:
        replacement.abandon_orphans(conn, settings)
        conn.execute(SQL.abandon_expired)
    for _ in range(SLICES):
        with pool.connection() as conn:
            if not _drop_texts(conn):
                break
    dropped = 0
    while _drop_one(pool):
        dropped += 1
    return dropped


def _drop_texts(conn: Connection) -> int:
    """Drops texts that wait for such a generation; a document that waited for nothing else goes live."""
    version_ids = [row[0] for row in conn.execute(SQL.unwanted_texts, {"limit": SLICE})]
    version_ids += [row[0] for row in conn.execute(SQL.forgotten_versions, {"limit": SLICE})]
    if version_ids:
        versions.lock(conn, version_ids)
        conn.execute(SQL.drop_texts, {"version_ids": version_ids})
        completed = versions.complete(conn, version_ids)
        settle(conn, completed)
        if completed:
            changed = conn.execute(SQL.collections_of_versions, {"version_ids": version_ids})
            collections.count_version(conn, [row[0] for row in changed])
    return len(version_ids)


def _drop_one(pool: Pool) -> bool:
    with pool.connection() as conn:
        conn.execute(SQL.notice, {"id": None})
        row = conn.execute(SQL.next_to_drop).fetchone()
        if row:
            conn.execute(SQL.drop_table.format(table=generation_table(row[0])))
            conn.execute(SQL.delete_generation, {"id": row[0]})
    return row is not None
