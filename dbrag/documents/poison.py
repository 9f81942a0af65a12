"""Documents that kill their worker: found by trying a job's items one at a time, each a set number of times.

A job that has lost a worker, or ran over its time limit, is isolated (`claims.isolate`, `expired_jobs`) until it is
split: each item is counted in `job_items.tries` before it is touched, and those tried least come first.
"""

from collections.abc import Generator
from contextlib import contextmanager, suppress

import psycopg
from billiard.exceptions import SoftTimeLimitExceeded  # pyright: ignore[reportMissingTypeStubs] - it has none

from dbrag.database.queries import beside
from dbrag.documents.prepare import Source
from dbrag.errors import Permanent
from dbrag.jobs import claims
from dbrag.jobs.claims import ClaimLost
from dbrag.jobs.model import Claim
from dbrag.runtime import Runtime

SQL = beside(__file__)
# One kill may be bad luck (a machine that dies, an operator), two in a row on the same item, out of hundreds, hardly.
TRIES = 3
POISON = Permanent(
    f"its worker died, or ran out of time, each of the {TRIES} times that it worked on this item alone: repair the "
    "document or split it into smaller ones, then send it anew or retry the job; the workers' logs say what they died "
    "of",
    code="poison",
)


@contextmanager
def trial(runtime: Runtime, claim: Claim, source: Source) -> Generator[None]:
    """Counts that the block works on this item alone; a failure that is no fault of the item is not counted.

    Raises: ClaimLost.
    """
    item = {"job_id": claim.id, "index": source.item_index}
    with runtime.pool.connection() as conn:
        claims.renew(conn, claim, runtime.settings)
        conn.execute(SQL.begin_trial, item)
    try:
        yield
    except (SoftTimeLimitExceeded, ClaimLost):
        raise
    except Exception:
        with suppress(psycopg.Error, ClaimLost), runtime.pool.connection() as conn:
            claims.renew(conn, claim, runtime.settings)
            conn.execute(SQL.annul_trial, item)
        raise
