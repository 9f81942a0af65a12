"""The task `embed_pending`: a wake-up with an id of its own, for whatever waits for vectors."""

from dbrag.embedding import embed
from tasks.define import task
from workers.process import runtime


@task("embed_pending")
def embed_pending() -> dict[str, object]:
    """Embeds what waits, across jobs."""
    return {"texts": embed.embed_pending(runtime())}
