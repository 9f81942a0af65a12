"""Beat's duties."""

from dbrag.documents import purge
from dbrag.vectors import index, probes
from tasks.define import task
from workers.process import runtime

# Exact scans of a generation of 10 million rows that PostgreSQL has not in memory.
PROBE_LIMIT_S = 600.0


@task("index_upkeep")
def index_upkeep() -> dict[str, object]:
    """Sees to it that every sealed segment gets its index."""
    with runtime().pool.connection() as conn:
        requested = index.request_due_rebuilds(conn)
    if requested:
        runtime().publisher.poke()
    return {"requested": requested}


@task("purge_deleted")
def purge_deleted() -> dict[str, object]:
    """Removes what is left of deleted collections."""
    return {"documents": purge.purge_deleted(runtime().pool)}


@task("recall_probe", soft_time_limit_s=PROBE_LIMIT_S, time_limit_s=PROBE_LIMIT_S + 10)
def recall_probe() -> dict[str, object]:
    """Measures the recall of indexes that nobody has looked at for an hour."""
    return {"probed": probes.probe_due(runtime().settings)}
