"""What the model-based tests share: a database of their own, and how long they may search for a sequence that fails."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from hypothesis import HealthCheck, Phase
from hypothesis import settings as examples
from pydantic import SecretStr

from dbrag.database import migrate
from dbrag.runtime import Runtime, open_runtime
from dbrag.settings import Settings

LONG = os.environ.get("DBRAG_HYPOTHESIS") == "long"


def bounds(max_examples: int, steps: int) -> examples:
    """So many sequences of so many steps, the same every time; with DBRAG_HYPOTHESIS=long others, and a lot more."""
    return examples(
        max_examples=max_examples * (20 if LONG else 1),
        stateful_step_count=steps * (2 if LONG else 1),
        derandomize=not LONG,
        deadline=None,
        database=None,
        # Shrinking takes minutes; without it what fails is told at once, and the blob repeats it.
        phases=list(Phase) if LONG else [Phase.explicit, Phase.generate],
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def own_database(settings: Settings, name: str) -> Iterator[Runtime]:
    """A runtime with an empty database of its own: claims of texts and the relay's duties look at all that there is."""
    url = settings.database_url.get_secret_value()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}".encode())
    own = psycopg.conninfo.make_conninfo(url, dbname=name)
    ours = settings.model_copy(update={"database_url": SecretStr(own), "cache_url": None})
    migrate.upgrade(ours)
    runtime = open_runtime(ours)
    try:
        yield runtime
    finally:
        runtime.close()
