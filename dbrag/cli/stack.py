"""`dbrag up` and `dbrag relay`: processes that stay in the foreground."""

from pathlib import Path

import typer

from dbrag.cli.address import load_settings


def up() -> None:
    """Start everything on this machine (PostgreSQL, Redis, API, workers, Flower) until Ctrl-C."""
    from dbrag.devstack.up import up as run  # noqa: PLC0415 (needs the extra [embedded])

    raise typer.Exit(run(Path.cwd()))


def relay() -> None:
    """Publish accepted jobs to the queues and bring back what was lost, until SIGTERM; several may run."""
    from dbrag.jobs.relay import run  # noqa: PLC0415 (kombu is of no use to the other commands)

    run(load_settings(Path.cwd()))
