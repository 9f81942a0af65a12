"""What happens to jobs, as those who watch them are told."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from dbrag.database.pool import Pool
from dbrag.database.queries import beside
from dbrag.jobs import jobs
from dbrag.jobs.model import Event, Job

SQL = beside(__file__, "events.sql")
# Events of a job in one look.
PAGE = 100
# Places in a queue are counted so far, for all watched jobs once a second.
DEPTH = 1_000
# Whoever looks for many waits no longer for a connection than this, in seconds.
PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Watch:
    """A job of a tenant, and the event (its id; 0 before the first) behind which somebody wants to know more."""

    tenant_id: UUID
    job_id: UUID
    after: int


@dataclass(frozen=True, slots=True)
class Sight:
    """A job as it is, and its events behind the watched one; `more`: there are others behind these."""

    job: Job
    events: list[Event]

    @property
    def more(self) -> bool:
        return len(self.events) == PAGE


def look(pool: Pool, watches: Collection[Watch]) -> dict[Watch, Sight]:
    """Looks after all at once, in two or three queries; a job that is gone, or another tenant's, is left out.

    One snapshot: a job that is over here has its last event here. Raises: OperationalError.
    """
    found: dict[tuple[UUID, int], list[Event]] = defaultdict(list)
    asked = {"job_ids": [w.job_id for w in watches], "afters": [w.after for w in watches], "limit": PAGE}
    with pool.connection(timeout=PATIENCE_S) as conn:
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        conn.execute("SET LOCAL statement_timeout = '5s'")
        for after, *event in conn.execute(SQL.events_behind, asked):
            found[event[1], after].append(Event(*event))
        seen = jobs.several(conn, {w.tenant_id for w in watches}, {w.job_id for w in watches}, DEPTH)
    by_id = {job.id: job for job in seen}
    return {w: Sight(by_id[w.job_id], found[w.job_id, w.after]) for w in watches if w.job_id in by_id}
