"""Which moves of a job the database allows: those of the table in docs/job-states.md, and no other."""

import re
from itertools import permutations
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from dbrag.database.pool import Connection
from dbrag.documents.model import Collection
from dbrag.jobs.model import Status

DOCS = (Path(__file__).parents[2] / "docs" / "job-states.md").read_text()
INSERT = """
INSERT INTO jobs (id, tenant_id, kind, queue, status, started_at, finished_at, publish_at, reason_code, total,
                  completed, failed)
VALUES (%(id)s, %(tenant_id)s, 'ingest_document', 'low', %(status)s, now(), CASE WHEN %(final)s THEN now() END, NULL,
        'x', 1, %(completed)s, %(failed)s)
"""
MOVE = """
UPDATE jobs SET status = %(status)s, finished_at = CASE WHEN %(final)s THEN now() END, completed = %(completed)s,
       failed = %(failed)s
WHERE id = %(id)s
"""


def allowed() -> set[tuple[str, str]]:
    """The columns `from` and `to` of the table of moves."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in DOCS.splitlines() if line.startswith("| ")]
    assert rows[0][:3] == ["move", "from", "to"]
    return {(old, new) for row in rows[1:] if row[1] for old in row[1].split(", ") for new in row[2].split(", ")}


def drawn() -> set[tuple[str, str]]:
    """The arrows of the figure between two states."""
    return set(re.findall(r"^ +(\w+) --> (\w+):", DOCS, re.M))


def row(status: Status) -> dict[str, object]:
    """What the other checks want of a job in this state."""
    failed = status in (Status.FAILED, Status.COMPLETED_WITH_ERRORS)
    return {"status": status, "final": status.is_final, "completed": int(not failed), "failed": int(failed)}


@pytest.mark.parametrize(("old", "new"), list(permutations(Status, 2)))
def test_a_job_moves_only_as_the_table_says(
    conn: Connection, own_collection: Collection, old: Status, new: Status
) -> None:
    job_id = {"id": uuid4(), "tenant_id": own_collection.tenant_id}
    conn.execute(INSERT, job_id | row(old))
    if (old, new) in allowed():
        assert conn.execute(MOVE, job_id | row(new)).rowcount == 1
    else:
        with pytest.raises(psycopg.errors.CheckViolation, match=r"cannot go from|which is final"):
            conn.execute(MOVE, job_id | row(new))


def test_the_figure_shows_only_moves_of_the_table() -> None:
    assert drawn() - allowed() == set()
    assert {state for move in allowed() for state in move} == {status.value for status in Status}
