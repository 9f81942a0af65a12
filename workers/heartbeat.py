"""Touches a file as long as a worker or beat is alive, for a probe outside (`python -m workers.alive`)."""

from pathlib import Path
from typing import Any

from celery import signals

from dbrag.settings import Settings


@signals.worker_init.connect
def touch_with_heartbeats(**_: Any) -> None:
    """A worker's main process sends a heartbeat every 2 s, under load too; none when stuck, or without its broker."""
    _touch_on(signals.heartbeat_sent)


@signals.beat_init.connect
def touch_with_messages(**_: Any) -> None:
    """Beat sends its duties once a minute; one that is stuck sends nothing."""
    _touch_on(signals.after_task_publish)


def _touch_on(signal: Any) -> None:
    path = Settings().heartbeat_file  # pyright: ignore[reportCallIssue] - from the environment
    if path is not None:
        file = Path(path)
        file.touch()
        signal.connect(lambda **_: file.touch(), weak=False)
