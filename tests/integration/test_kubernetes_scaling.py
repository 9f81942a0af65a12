"""What KEDA asks PostgreSQL about waiting work, with the rights that it has in deploy/kubernetes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg
import pytest
import yaml
from psycopg.conninfo import make_conninfo
from uuid_utils.compat import uuid7

from dbrag.database import migrate
from dbrag.settings import Settings

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes" / "overlays" / "production"
JOB = """
INSERT INTO jobs (id, tenant_id, kind, queue, status, created_at, started_at, reason_code)
SELECT %(id)s, id, 'batch_embed', %(queue)s, %(status)s, now() - make_interval(secs => %(age_s)s),
       CASE WHEN %(begun)s THEN now() END, CASE WHEN %(status)s IN ('held', 'retrying') THEN 'rate_limited' END
FROM tenants LIMIT 1
"""


def queries() -> dict[tuple[str, str], LiteralString]:
    """By what is scaled and the trigger's name."""
    found: list[dict[str, Any]] = list(yaml.safe_load_all((FOLDER / "scaling.yaml").read_text()))
    return {
        (scaler["metadata"]["name"], trigger["name"]): trigger["metadata"]["query"]
        for scaler in found
        if scaler["kind"] == "ScaledObject"
        for trigger in scaler["spec"]["triggers"]
    }


@pytest.fixture
def owner(empty: Settings) -> Iterator[psycopg.Connection]:
    migrate.upgrade(empty)
    with psycopg.connect(empty.database_url.get_secret_value(), autocommit=True) as conn:
        conn.execute("INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 't')")
        conn.execute(cast(LiteralString, (FOLDER / "scaler.sql").read_text()))
        conn.execute("ALTER ROLE dbrag_scaler PASSWORD 'secret'")
        yield conn
        conn.execute("DROP OWNED BY dbrag_scaler")
        conn.execute("DROP ROLE dbrag_scaler")


@pytest.fixture
def scaler(owner: psycopg.Connection, empty: Settings) -> Iterator[psycopg.Connection]:
    url = make_conninfo(empty.database_url.get_secret_value(), user="dbrag_scaler", password="secret")
    with psycopg.connect(url, autocommit=True) as conn:
        yield conn


def submit(
    conn: psycopg.Connection, queue: str, status: str = "queued", age_s: float = 0, *, begun: bool = False
) -> None:
    conn.execute(JOB, {"id": uuid7(), "queue": queue, "status": status, "age_s": age_s, "begun": begun})


def figures(conn: psycopg.Connection) -> dict[tuple[str, str], float]:
    asked = {name: conn.execute(query).fetchone() for name, query in queries().items()}
    return {name: float(row[0]) for name, row in asked.items() if row is not None}


def test_nothing_waits_in_an_empty_database(scaler: psycopg.Connection) -> None:
    assert figures(scaler) == {
        ("worker-critical", "jobs"): 0,
        ("worker-critical", "oldest-seconds"): 0,
        ("worker-default", "jobs"): 0,
        ("worker-default", "oldest-seconds"): 0,
    }


def test_jobs_to_be_done_and_under_way_count_for_the_pool_that_takes_them(
    owner: psycopg.Connection, scaler: psycopg.Connection
) -> None:
    submit(owner, "critical")
    for status in ("running", "retrying"):
        submit(owner, "default", status, begun=True)
    submit(owner, "low")
    submit(owner, "default", "held", begun=True)
    found = figures(scaler)
    assert (found["worker-critical", "jobs"], found["worker-default", "jobs"]) == (1, 3)


def test_the_age_is_that_of_the_oldest_job_that_was_never_begun(
    owner: psycopg.Connection, scaler: psycopg.Connection
) -> None:
    submit(owner, "default", age_s=7200, begun=True)  # between two slices
    submit(owner, "default", age_s=300)
    submit(owner, "default", age_s=5)
    submit(owner, "critical", "running", age_s=900, begun=True)
    found = figures(scaler)
    assert 300 <= found["worker-default", "oldest-seconds"] < 7200
    assert found["worker-critical", "oldest-seconds"] == 0


def test_the_scaler_sees_nothing_else(scaler: psycopg.Connection) -> None:
    for refused in ("SELECT params FROM jobs", "SELECT FROM documents", "UPDATE jobs SET status = 'failed'"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            scaler.execute(cast(LiteralString, refused))
