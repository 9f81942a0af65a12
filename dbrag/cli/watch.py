"""Follow jobs until they end: one progress bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Protocol, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from dbrag.cli import output
from dbrag.cli.exit_codes import ExitCode
from dbrag.cli.tally import Tally, tally
from dbrag.client import Client
from dbrag.client.model import Job

# Streams that are read at once; the jobs behind them wait in the same queue, mostly.
AT_ONCE = 4
# A log is read afterwards: enough lines to see that it moves, few enough to read.
LINE_EVERY_S = 2.0


class Board(Protocol):
    """Shows a tally while it is entered."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
    def show(self, now: Tally) -> None: ...


class Pace:
    """How fast documents get done, counted from the first look: a job may be old when somebody begins to watch."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._done_before: int | None = None

    def rate(self, now: Tally) -> float | None:
        """Documents per second, None in the first second."""
        if self._done_before is None:
            self._done_before = now.done
        elapsed_s = time.monotonic() - self._begun
        return (now.done - self._done_before) / elapsed_s if elapsed_s >= 1 else None


class Bar:
    """A progress bar that redraws itself."""

    def __init__(self, console: Console) -> None:
        columns = (SpinnerColumn(), BarColumn(bar_width=30), TaskProgressColumn(), TextColumn("{task.description}"))
        self._progress = Progress(*columns, console=console)
        self._task = self._progress.add_task("", total=1.0)
        self._pace = Pace()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, now: Tally) -> None:
        self._progress.update(self._task, completed=now.share, description=now.line(self._pace.rate(now)))


class Lines:
    """A line when something has changed, not more often than every LINE_EVERY_S, and always the last state."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._pace = Pace()
        self._printed_at = 0.0
        self._shown: Tally | None = None
        self._latest: Tally | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._print()

    def show(self, now: Tally) -> None:
        self._latest = now
        if time.monotonic() - self._printed_at >= LINE_EVERY_S:
            self._print()

    def _print(self) -> None:
        if self._latest is None or self._latest == self._shown:
            return
        line = self._latest.line(self._pace.rate(self._latest))
        self._console.print(f"{self._latest.share:4.0%}  {line}", markup=False, soft_wrap=True)
        self._shown, self._printed_at = self._latest, time.monotonic()


def board(console: Console) -> Board:
    """What suits the console."""
    return Bar(console) if console.is_terminal else Lines(console)


def refresh(client: Client, jobs: Sequence[Job]) -> list[Job]:
    """The jobs as they are now, as far as a quick look goes: at the first that have not ended."""
    now = {job.id: client.job(job.id) for job in [job for job in jobs if not job.status.is_final][:AT_ONCE]}
    return [now.get(job.id, job) for job in jobs]


def follow(client: Client, jobs: Sequence[Job], shown: Board) -> list[Job]:
    """The jobs, once all have ended. Ctrl-C leaves them running and says how to look again."""
    latest = {job.id: job for job in jobs}
    try:
        shown.show(tally(latest.values()))
        for job in _changes(client, [job.id for job in jobs if not job.status.is_final]):
            latest[job.id] = job
            shown.show(tally(latest.values()))
    except KeyboardInterrupt as exc:
        unfinished = " ".join(job.id for job in latest.values() if not job.status.is_final)
        output.remark(f"The work goes on without you. Look again with: dbrag jobs watch {unfinished}")
        raise typer.Exit(ExitCode.INTERRUPTED) from exc
    return list(latest.values())


def _changes(client: Client, job_ids: Sequence[str]) -> Iterator[Job]:
    """Whatever changes of these jobs, the first ones first, until all have ended.

    AT_ONCE threads read a job's stream each. They are daemons: Ctrl-C does not wait for the next event.
    """
    news: SimpleQueue[Job | BaseException] = SimpleQueue()
    to_read: SimpleQueue[str] = SimpleQueue()
    for job_id in job_ids:
        to_read.put(job_id)
    for _ in range(min(AT_ONCE, len(job_ids))):
        Thread(target=_read, args=(client, to_read, news), daemon=True).start()
    left = set(job_ids)
    while left:
        job = news.get()
        if isinstance(job, BaseException):
            raise job
        yield job
        if job.status.is_final:
            left.remove(job.id)


def _read(client: Client, to_read: SimpleQueue[str], news: SimpleQueue[Job | BaseException]) -> None:
    try:
        while True:
            for job in client.watch(to_read.get_nowait()):
                news.put(job)
    except Empty:
        pass
    except BaseException as exc:  # whoever waits for news has to hear of it, whatever it is
        news.put(exc)
