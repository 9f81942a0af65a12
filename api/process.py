"""What one API process holds open: opened at the first use after fork, closed when the worker exits."""

from threading import Lock

from flask import current_app

from dbrag.jobs.backlog import Backlog
from dbrag.runtime import Runtime, open_runtime
from dbrag.settings import Settings

# One for each of a worker's threads (deploy/gunicorn.conf.py): a request holds one connection at most at a time.
CONNECTIONS = 8


class Process:
    """The settings of this process, what it knows of waiting work and, from the first use on, its connections."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.backlog = Backlog(settings)
        self._lock = Lock()
        self._runtime: Runtime | None = None

    @property
    def runtime(self) -> Runtime:
        with self._lock:
            if self._runtime is None:
                self._runtime = open_runtime(self.settings, CONNECTIONS)
            return self._runtime

    def close(self) -> None:
        """Closes what was opened; the next use opens it again."""
        with self._lock:
            if self._runtime is not None:
                self._runtime.close()
            self._runtime = None


def here() -> Process:
    """The Process of the application that serves this request."""
    return current_app.extensions["dbrag"]


def runtime() -> Runtime:
    """The connections of the application that serves this request."""
    return here().runtime
