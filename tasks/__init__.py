"""The message door: a thin task for each kind of job, and beat's duties; `celery -A tasks worker` runs it."""

from workers import counts

counts.prepare()  # before what follows imports whatever counts

from tasks.app import app  # noqa: E402

__all__ = ["app"]
