"""Beat's duties."""

from dbrag.catalog import clearing as catalog_clearing
from dbrag.catalog import requests
from dbrag.documents import purge
from dbrag.jobs import idempotency
from dbrag.vectors import clearing, index, probes, removal
from tasks.define import task
from workers.process import runtime

# Exact scans of a generation of 10 million rows that PostgreSQL has not in memory.
PROBE_LIMIT_S = 600.0


@task("index_upkeep")
def index_upkeep() -> dict[str, object]:
    """Seals what is old, has indexes built and segments merged, and drops what deleted collections left behind."""
    settings = runtime().settings
    with runtime().pool.connection() as conn:
        sealed = index.seal_old(conn, settings)
        requested = index.request_due_rebuilds(conn, settings)
    if requested:
        runtime().publisher.poke()
    with runtime().pool.connection() as conn:
        dropped = removal.drop_orphans(conn)
    return {"sealed": sealed, "requested": requested, "dropped": dropped}


@task("purge_deleted")
def purge_deleted() -> dict[str, object]:
    """Removes what is left of deleted collections and connections, and generations and answers that are out of use."""
    return {
        "generations": clearing.clear_generations(runtime().pool, runtime().settings),
        "tables": catalog_clearing.clear_connections(runtime().pool),
        "documents": purge.purge_deleted(runtime().pool),
        "answers": idempotency.forget_old(runtime().pool),
    }


@task("catalog_upkeep")
def catalog_upkeep() -> dict[str, object]:
    """Has catalogs updated whose time has come."""
    with runtime().pool.connection() as conn:
        requested = requests.request_due(conn, runtime().settings)
    if requested:
        runtime().publisher.poke()
    return {"requested": requested}


@task("recall_probe", soft_time_limit_s=PROBE_LIMIT_S, time_limit_s=PROBE_LIMIT_S + 10)
def recall_probe() -> dict[str, object]:
    """Measures the recall of indexes that nobody has looked at for an hour."""
    return {"probed": probes.probe_due(runtime().settings)}
