"""Follow jobs until they end: one progress bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from dbrag.cli import output
from dbrag.cli.client import Client
from dbrag.cli.model import Job
from dbrag.cli.tally import Tally, tally

LOOK_EVERY_S = 0.5
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
    """The jobs as they are now; final ones are not asked for again."""
    return [job if job.status.is_final else client.job(job.id) for job in jobs]


def follow(client: Client, jobs: Sequence[Job], shown: Board) -> list[Job]:
    """The jobs, once all have ended. Ctrl-C leaves them running and says how to look again."""
    jobs = list(jobs)
    try:
        while True:
            shown.show(tally(jobs))
            if all(job.status.is_final for job in jobs):
                return jobs
            time.sleep(LOOK_EVERY_S)
            jobs = refresh(client, jobs)
    except KeyboardInterrupt as exc:
        unfinished = " ".join(job.id for job in jobs if not job.status.is_final)
        output.remark(f"The work goes on without you. Look again with: dbrag jobs watch {unfinished}")
        raise typer.Exit(130) from exc
