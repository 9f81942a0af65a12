"""The task `update_metadata_catalog`: describes a database's tables; their vectors come with `embed_pending`."""

from uuid import UUID

from dbrag.catalog.update import update
from tasks.define import task
from workers.process import runtime


@task("update_metadata_catalog")
def update_metadata_catalog(job_id: str) -> dict[str, object]:
    """Runs one attempt, or one slice of it, at the job of this id."""
    return update(runtime(), UUID(job_id))
