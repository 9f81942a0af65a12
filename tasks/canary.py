"""The task `canary`: says that a worker serves the queue."""

from dbrag.jobs import canaries
from dbrag.jobs.model import Queue
from tasks.define import task
from workers.process import runtime


@task("canary")
def canary(queue: str) -> None:
    """Records that the queue's canary was taken."""
    with runtime().pool.connection() as conn:
        canaries.seen(conn, Queue(queue))
