"""PostgreSQL has no room: no connection is left, or its disk is full."""

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import psycopg
from psycopg.sql import SQL, Identifier

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike


@strike("PostgreSQL, all connections taken, and ours ended")
def connections_used_up(fleet: Fleet) -> None:
    """The API answers 503; jobs that were at work are tried again."""
    with fleet.blow(), ExitStack() as taken:
        ours = taken.enter_context(fleet.database())
        ours.autocommit = True
        until = time.monotonic() + fleet.random.uniform(1, 2)
        while time.monotonic() < until:
            with suppress(psycopg.OperationalError):
                while True:
                    taken.enter_context(psycopg.connect(fleet.servers.env["DATABASE_URL"], connect_timeout=1))
            ours.execute(END_THE_PLATFORMS)
            time.sleep(0.02)


@strike("PostgreSQL, its disk full: jobs, chunks, texts that wait and vectors are refused with SQLSTATE 53100")
def disk_full(fleet: Fleet) -> None:
    """The API answers 503; what was paid is in the cache, and is written when there is room."""
    with fleet.blow(), fleet.database() as conn:
        conn.autocommit = True
        conn.execute(FULL)
        vectors = [Identifier(table) for table in [fleet.fresh_segment()] if table]
        try:
            for table in [*TABLES, *vectors]:
                conn.execute(
                    SQL("CREATE TRIGGER full_disk BEFORE INSERT ON {} EXECUTE FUNCTION full_disk()").format(table)
                )
            fleet.moment(1, 2)
        finally:
            conn.execute("DROP FUNCTION full_disk CASCADE")


END_THE_PLATFORMS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'dbrag' AND pid <> pg_backend_pid()"""
# A disk of its own to fill needs rights that a test has not; to its clients this is the same.
FULL = """CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$"""
TABLES = [Identifier(name) for name in ("jobs", "chunks", "pending", "usage", "segments")]


def test_nothing_is_lost_when_no_connection_is_left_or_the_disk_is_full(survives: Callable[..., object]) -> None:
    survives(connections_used_up, disk_full)
