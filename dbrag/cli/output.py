"""Where text goes: answers to stdout, errors and side remarks to stderr."""

import json as _json
import sys

import typer
from rich.console import Console

# A pipe or log file has no width; wide enough for the tables, narrow enough to read passages.
PLAIN_WIDTH = 120


def answers() -> Console:
    """The console for what was asked for; made when needed, so that it follows sys.stdout."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def json(data: object) -> None:
    """An answer for a program: nothing else is on stdout then."""
    typer.echo(_json.dumps(data, ensure_ascii=False, indent=2))


def remarks() -> Console:
    """The console for what a program that reads stdout must not see."""
    return Console(stderr=True, highlight=False)


def remark(text: str, color: str | None = None) -> None:
    """Say something in passing; rich moves it above a progress bar, as it does with all that is written to stderr."""
    typer.secho(text, err=True, fg=color)


def failure(detail: str) -> None:
    """The one line with which a command that could not do its work ends."""
    remark(f"error: {' '.join(detail.split())}", "red")
