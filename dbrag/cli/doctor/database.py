"""Examines PostgreSQL: there, with pgvector, with the schema of this code, and with work that moves."""

from datetime import timedelta

import psycopg

from dbrag.cli.doctor.model import TIMEOUT_S, Finding, ok, wrong
from dbrag.cli.render import age
from dbrag.database import migrate
from dbrag.settings import Settings

# A healthy queue starts its first job within seconds; this allows for a restart of the workers.
STUCK_AFTER = timedelta(minutes=1)
NEVER_STARTED = """
    SELECT queue, count(*), now() - min(created_at)
    FROM jobs WHERE status = 'queued'
    GROUP BY queue
    HAVING NOT bool_or(EXISTS (SELECT FROM jobs busy WHERE busy.queue = jobs.queue AND busy.lease_until > now()))
"""
WAITING = """
    SELECT count(*) FILTER (WHERE status IN ('queued', 'held', 'retrying')), count(*)
    FROM jobs WHERE finished_at IS NULL
"""


def check_server(settings: Settings) -> Finding:
    try:
        with _connect(settings) as conn:
            return ok(f"version {conn.info.server_version // 10_000}.{conn.info.server_version % 10_000}")
    except psycopg.Error as exc:
        reason = " ".join(str(exc).split())
        return wrong(f"cannot be reached: {reason}", "Start PostgreSQL, or correct DATABASE_URL.")


def check_pgvector(settings: Settings) -> Finding:
    wanted = ".".join(map(str, migrate.PGVECTOR_AT_LEAST))
    with _connect(settings) as conn:
        row = conn.execute(
            "SELECT coalesce(installed_version, default_version) FROM pg_available_extensions WHERE name = 'vector'"
        ).fetchone()
    if row is None:
        return wrong("not on the server", f"Install pgvector >= {wanted} there, then run `dbrag db upgrade`.")
    if tuple(map(int, row[0].split(".")[:2])) < migrate.PGVECTOR_AT_LEAST:
        return wrong(f"version {row[0]}", f"Upgrade it to >= {wanted}, then run ALTER EXTENSION vector UPDATE.")
    return ok(f"version {row[0]}")


def check_schema(settings: Settings) -> Finding:
    with _connect(settings) as conn:
        schema = migrate.state(conn)
    if schema.is_current:
        return ok(f"at {schema.head}")
    return wrong(f"at {schema.current or 'nothing yet'}, this code expects {schema.head}", "Run `dbrag db upgrade`.")


def check_queues(settings: Settings) -> Finding:
    with _connect(settings) as conn:
        stuck = [row for row in conn.execute(NEVER_STARTED) if row[2] > STUCK_AFTER]
        waiting, unfinished = conn.execute(WAITING).fetchone() or (0, 0)
    if stuck:
        seen = "; ".join(
            f"{queue}: {count} waiting for up to {age(oldest)}, none running" for queue, count, oldest in stuck
        )
        return wrong(seen, "See that `dbrag relay` and a worker for that queue are running, and what they log.")
    return ok(f"{unfinished} jobs not finished, {waiting} of them waiting")


def _connect(settings: Settings) -> psycopg.Connection:
    url = settings.database_url.get_secret_value()
    return psycopg.connect(url, connect_timeout=TIMEOUT_S, autocommit=True)
