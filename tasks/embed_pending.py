"""The task `embed_pending`: a wake-up with an id of its own, for whatever waits for vectors."""

from dbrag.embedding import embed
from dbrag.jobs import wakes
from dbrag.jobs.model import Queue
from tasks.define import current_queue, task
from workers.process import runtime


@task("embed_pending")
def embed_pending() -> dict[str, object]:
    """Embeds what waits, across jobs."""
    wakes.taken(runtime().pool, Queue(current_queue()))
    return {"texts": embed.embed_pending(runtime())}
