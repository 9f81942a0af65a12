"""What one API process holds open: opened at the first use after fork, closed when the worker exits."""

from functools import partial
from threading import BoundedSemaphore, Lock

from flask import current_app

from api.streamer import Streamer
from dbrag.accounts.jwts import open_jwts
from dbrag.cache import Cache
from dbrag.jobs import events
from dbrag.jobs.backlog import Backlog
from dbrag.runtime import Runtime, open_runtime
from dbrag.settings import Settings

# One for each of a worker's threads (deploy/gunicorn.conf.py), since a request holds one connection at most at a time,
# and one for the streams.
CONNECTIONS = 9
# Dry runs at once: each holds a thread, and a core, for some seconds.
DRY_RUNS = 1


class Process:
    """The settings of this process, whose JWTs it trusts, what it knows of waiting work, its connections and streams.

    `requests` is where they are counted, None where no rate limit is set. Raises: ValueError for a JWKS file that
    cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.jwts = open_jwts(settings)
        self.backlog = Backlog(settings)
        counted = settings.cache_url if settings.rate_limit else None
        self.requests = Cache(counted.get_secret_value()) if counted else None
        self.dry_runs = BoundedSemaphore(DRY_RUNS)
        self._lock = Lock()
        self._runtime: Runtime | None = None
        self._streamer: Streamer | None = None

    @property
    def streamer(self) -> Streamer:
        runtime = self.runtime
        with self._lock:
            if self._streamer is None or not self._streamer.is_alive:
                self._streamer = Streamer(partial(events.look, runtime.pool))
            return self._streamer

    @property
    def runtime(self) -> Runtime:
        with self._lock:
            if self._runtime is None:
                self._runtime = open_runtime(self.settings, CONNECTIONS)
            return self._runtime

    def close(self) -> None:
        """Closes what was opened; the next use opens it again."""
        with self._lock:
            if self._streamer is not None:
                self._streamer.close()
            if self._runtime is not None:
                self._runtime.close()
            self._streamer = self._runtime = None
            if self.requests is not None:
                self.requests.close()


def here() -> Process:
    """The Process of the application that serves this request."""
    return current_app.extensions["dbrag"]


def runtime() -> Runtime:
    """The connections of the application that serves this request."""
    return here().runtime
