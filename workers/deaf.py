"""A worker that is connected but gets nothing finds that out and ends itself, so that its supervisor starts it anew.

Its main process looks at its queues now and then. If it has had nothing to do for a lease while messages waited in one
of them all that time, it is deaf: an idle worker takes the next message at once.
"""

import os
import signal
from collections.abc import Collection
from contextlib import suppress
from threading import Event, Thread
from time import monotonic
from typing import Any

import structlog
from billiard.process import active_children  # pyright: ignore[reportMissingTypeStubs] - it has none
from celery import signals
from celery.platforms import EX_FAILURE
from celery.worker import state

from dbrag.jobs.broker import Broker
from dbrag.settings import Settings

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
# Looks in a lease, and the longest pause between two, in seconds.
LOOKS, LONGEST_PAUSE_S = 12, 5.0
# How long a worker may take to end in good order; it has nothing to do.
GRACE_S = 10.0


class Hearing:
    """Judges from what was seen, look by look, whether a worker is deaf."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._since_s: float | None = None

    def is_deaf(self, now_s: float, *, idle: bool, waiting: bool | None) -> bool:
        """`idle`: it has no task, and got no message since the last look; `waiting` is None where nobody knows."""
        if not idle or not waiting:
            self._since_s = None
            return False
        self._since_s = self._since_s or now_s
        return now_s - self._since_s >= self._patience_s


class Listener:
    """The thread that looks, in a worker's main process."""

    def __init__(self, queues: Collection[str], settings: Settings, grace_s: float = GRACE_S) -> None:
        self._queues, self._broker, self._grace_s = queues, Broker(settings), grace_s
        self._hearing = Hearing(settings.lease_s)
        self._pause_s = min(settings.lease_s / LOOKS, LONGEST_PAUSE_S)
        self._stopping = Event()
        self._heard = Event()
        Thread(target=self._run, name="deaf", daemon=True).start()

    def hear(self) -> None:
        """A message came."""
        self._heard.set()

    def stop(self) -> None:
        """The worker is ending: from here on it takes nothing on purpose."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(self._pause_s):
            idle = not (self._heard.is_set() or state.reserved_requests or state.active_requests)
            self._heard.clear()
            if self._hearing.is_deaf(monotonic(), idle=idle, waiting=self._messages_wait() if idle else None):
                self._end()

    def _messages_wait(self) -> bool | None:
        lengths = self._broker.lengths()
        return None if lengths is None else any(lengths.get(queue) for queue in self._queues)

    def _end(self) -> None:
        log.critical(
            "messages wait and this worker gets none: it ends, to be started anew", queues=sorted(self._queues)
        )
        state.should_stop = EX_FAILURE
        if self._stopping.wait(self._grace_s):
            return
        log.critical("this worker gets none and does not end in good order: it is ended by force")
        try:
            for child in active_children():  # they are idle; an extractor dies with its child
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
        finally:
            os._exit(EX_FAILURE)


_listener: Listener | None = None


@signals.worker_ready.connect
def begin(sender: Any, **_: Any) -> None:
    """Looks after the queues that the worker was started with, whatever it is told later."""
    global _listener  # noqa: PLW0603 - one a worker
    _listener = Listener(list(sender.app.amqp.queues.consume_from), Settings())  # pyright: ignore[reportCallIssue]


@signals.task_received.connect
def hear(**_: Any) -> None:
    """Any message is a sign that the worker is not deaf."""
    if _listener is not None:
        _listener.hear()


@signals.worker_shutting_down.connect
def end(**_: Any) -> None:
    """Whoever is stopped takes nothing more."""
    if _listener is not None:
        _listener.stop()
