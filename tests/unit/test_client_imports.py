"""The client is for other programs: it brings nothing of the servers along."""

import subprocess
import sys

HEAVY = {"alembic", "api", "celery", "flask", "kombu", "kreuzberg", "numpy", "openai", "psycopg", "redis", "typer"}


def test_importing_the_client_loads_no_part_of_the_servers() -> None:
    program = "import sys, dbrag.client; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert "dbrag.client.transport" in loaded
    assert HEAVY & {name.split(".")[0] for name in loaded} == set()
    ours = {name for name in loaded if name.startswith("dbrag.") and not name.startswith("dbrag.client")}
    assert ours == {
        "dbrag.errors",
        "dbrag.jobs",
        "dbrag.jobs.model",
        "dbrag.vectors",
        "dbrag.vectors.model",
        "dbrag.documents",
        "dbrag.documents.model",
    }
