"""What a worker's child works with: opened after fork, closed at exit; told when the worker is to end."""

import os
import signal
from mmap import mmap
from typing import Any

from celery import signals

from dbrag.runtime import Runtime, open_runtime
from dbrag.settings import Settings
from dbrag.telemetry import logs

# For what does not run in a lane of embedding: the publisher, a lease that is kept alive, the task itself.
OTHER_CONNECTIONS = 3

_runtime: Runtime | None = None
# One byte that the main process shares with its children, made before it forks: 1 once the worker is to end.
_ending: mmap | None = None


def runtime() -> Runtime:
    """This process's runtime; opened on first use where the pool does not fork (`-P solo`)."""
    global _runtime  # noqa: PLW0603 - one a process is what it is for
    if _runtime is None:
        settings = Settings()  # pyright: ignore[reportCallIssue] - from the environment
        _runtime = open_runtime(settings, settings.embed_threads + OTHER_CONNECTIONS, draining)
    return _runtime


def draining() -> bool:
    """Whether the worker was asked to end."""
    return _ending is not None and _ending[0] == 1


@signals.worker_init.connect
def share_the_end(**_: Any) -> None:
    """Before the pool forks; children that are replaced later inherit it as well."""
    global _ending  # noqa: PLW0603 - one a process is what it is for
    _ending = mmap(-1, 1)


@signals.worker_shutting_down.connect
def drain(**_: Any) -> None:
    """On SIGTERM, in the main process: whoever works in steps begins no further one."""
    if _ending is not None:
        _ending[0] = 1


@signals.worker_ready.connect
def drain_at_once(**_: Any) -> None:
    """On SIGQUIT too: Celery tells of it only when the time that it gives the tasks to end is over."""
    theirs, main_pid = signal.getsignal(signal.SIGQUIT), os.getpid()

    def handle(number: int, frame: Any) -> None:
        if os.getpid() == main_pid:  # children that are forked later inherit this
            drain()
        if callable(theirs):
            theirs(number, frame)

    signal.signal(signal.SIGQUIT, handle)


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
