"""What a worker's child works with: opened after fork, closed at exit."""

from typing import Any

from celery import signals

from dbrag.runtime import Runtime, open_runtime
from dbrag.settings import Settings
from dbrag.telemetry import logs

# For what does not run in a lane of embedding: the publisher, a lease that is kept alive, the task itself.
OTHER_CONNECTIONS = 3

_runtime: Runtime | None = None


def runtime() -> Runtime:
    """This process's runtime; opened on first use where the pool does not fork (`-P solo`)."""
    global _runtime  # noqa: PLW0603 - one a process is what it is for
    if _runtime is None:
        settings = Settings()  # pyright: ignore[reportCallIssue] - from the environment
        _runtime = open_runtime(settings, settings.embed_threads + OTHER_CONNECTIONS)
    return _runtime


@signals.setup_logging.connect
def set_up_logging(**_: Any) -> None:
    """Keeps Celery from setting logging up its own way."""
    logs.configure(Settings())  # pyright: ignore[reportCallIssue]


@signals.worker_process_init.connect
def open_after_fork(**_: Any) -> None:
    """Connections must not be shared with the parent."""
    runtime()


@signals.worker_process_shutdown.connect
def close_at_exit(**_: Any) -> None:
    """Gives connections back, and ends the extractor."""
    global _runtime  # noqa: PLW0603
    if _runtime is not None:
        _runtime.close()
        _runtime = None
