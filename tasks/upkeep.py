"""Beat's duties."""

from dbrag.documents import purge
from dbrag.vectors import clearing, index
from tasks.define import task
from workers.process import runtime


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
    """Removes what is left of deleted collections, and of generations that were replaced or given up."""
    generations = clearing.clear_generations(runtime().pool, runtime().settings)
    return {"documents": purge.purge_deleted(runtime().pool), "generations": generations}
