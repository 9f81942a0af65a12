"""The task `ingest_document`: splits the job's documents; their vectors come with `embed_pending`."""

from uuid import UUID

from dbrag.documents.ingest import ingest
from dbrag.embedding.embed import Beside
from tasks.define import task
from workers.process import runtime


@task("ingest_document")
def ingest_document(job_id: str) -> dict[str, object]:
    """Runs one attempt, or one slice of it, at the job of this id."""
    with Beside(runtime()) as embedding:
        return ingest(runtime(), UUID(job_id), embedding.look)
