"""The message door: a thin task for each kind of job, and beat's duties; `celery -A tasks worker` runs it."""

from tasks.app import app

__all__ = ["app"]
