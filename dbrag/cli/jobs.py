"""`dbrag jobs`: list, look at, follow, cancel and retry jobs."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from dbrag.cli import options, output, render
from dbrag.cli.client import Client
from dbrag.cli.ingest import failed_items
from dbrag.cli.model import Job
from dbrag.cli.tally import exit_code
from dbrag.cli.watch import board, follow
from dbrag.jobs.model import Kind, Queue, Status

app = typer.Typer(no_args_is_help=True, help="List, look at, follow, cancel and retry jobs.")


@app.command("list")
def list_jobs(
    status: Annotated[Status | None, typer.Option(help="Only jobs in this state.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only jobs of this kind.")] = None,
    queue: Annotated[Queue | None, typer.Option(help="Only jobs of this queue.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Jobs at most.")] = 20,
    api: options.Api = None,
    key: options.Key = None,
) -> None:
    """List jobs, newest first."""
    with options.open_client(api, key) as client:
        found = client.jobs({"status": status, "kind": kind, "queue": queue}, limit)
    output.answers().print(render.jobs_table(found, datetime.now(UTC)) if found else "No jobs.")


@app.command()
def show(job_id: options.JobId, api: options.Api = None, key: options.Key = None) -> None:
    """Show a job: its status, what it waits for, progress, counts, cost and failed items."""
    with options.open_client(api, key) as client:
        _print(client, client.job(job_id))


@app.command()
def watch(
    job_ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of jobs.")],
    api: options.Api = None,
    key: options.Key = None,
) -> None:
    """Follow jobs until they end. Ends with 0 if all succeeded, 3 if items failed, else 1."""
    console = output.answers()
    with options.open_client(api, key) as client:
        with board(console) as shown:
            jobs = follow(client, [client.job(job_id) for job_id in job_ids], shown)
        for job in jobs:
            _print(client, job)
    raise typer.Exit(exit_code(jobs))


@app.command()
def cancel(job_id: options.JobId, api: options.Api = None, key: options.Key = None) -> None:
    """Cancel a job; what it has finished stays."""
    with options.open_client(api, key) as client:
        _print(client, client.cancel(job_id))


@app.command()
def retry(job_id: options.JobId, api: options.Api = None, key: options.Key = None) -> None:
    """Try the failed items of a job again; what succeeded is not paid again."""
    with options.open_client(api, key) as client:
        _print(client, client.retry(job_id))


def _print(client: Client, job: Job) -> None:
    output.answers().print(render.job_details(job, failed_items(client, [job])))
