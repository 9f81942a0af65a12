"""The task `rebuild_index`: builds, merges and rewrites segments, or fills a new generation."""

from uuid import UUID

from dbrag.vectors import build
from tasks.define import task
from workers.process import runtime

# A build renews its claim while it runs; this ends one that hangs. 10 million rows take some two hours.
LIMIT_S = 6 * 3600.0


@task("rebuild_index", soft_time_limit_s=LIMIT_S, time_limit_s=LIMIT_S + 60)
def rebuild_index(job_id: str) -> dict[str, object]:
    """Runs one attempt at the job of this id."""
    return build.rebuild_index(runtime(), UUID(job_id))
