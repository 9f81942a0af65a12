"""A typed door to Celery's decorator, which takes misspelt options in silence."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import structlog
from celery.exceptions import Retry

from dbrag.documents.attempt import AttemptFailed
from tasks.app import app

P = ParamSpec("P")
R = TypeVar("R")


def task(
    name: str, *, soft_time_limit_s: float | None = None, time_limit_s: float | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Registers a function as the task `name`; limits, in seconds, where the general ones of celeryconfig do not fit.

    An attempt that failed, and is tried again, shows as RETRY in Flower; one that failed for good as FAILURE. The job's
    row says so already: the message is acknowledged either way.
    """

    def register(work: Callable[P, R]) -> Callable[P, R]:
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with structlog.contextvars.bound_contextvars(task=name, task_id=current_id()):
                try:
                    return work(*args, **kwargs)
                except AttemptFailed as exc:
                    if exc.tried_again:
                        raise Retry(str(exc), exc=exc.error) from exc
                    raise exc.error from exc

        run.__doc__ = work.__doc__
        run.__module__ = work.__module__
        decorate = cast(Any, app.task)
        return decorate(name=name, soft_time_limit=soft_time_limit_s, time_limit=time_limit_s)(run)

    return register


def current_id() -> str | None:
    """The id of the task that runs in this process."""
    return cast(Any, app.current_task).request.id


def current_queue() -> str:
    """The queue that brought the task that runs in this process."""
    return cast(Any, app.current_task).request.delivery_info["routing_key"]
