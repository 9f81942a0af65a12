"""`dbrag jobs`: list, look at, follow, move, cancel and retry jobs."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from dbrag.cli import options, output, render
from dbrag.cli.client import Client
from dbrag.cli.ingest import failed_items
from dbrag.cli.model import Job
from dbrag.cli.tally import exit_code
from dbrag.cli.times import instant
from dbrag.cli.watch import board, follow
from dbrag.jobs.model import Kind, Queue, Status

app = typer.Typer(no_args_is_help=True, help="List, look at, follow, move, cancel and retry jobs.")
Name = Annotated[str | None, typer.Option("--collection", "-c", help="Only jobs of this collection.")]
OfKind = Annotated[Kind | None, typer.Option("--kind", help="Only jobs of this kind.")]
OfQueue = Annotated[Queue | None, typer.Option("--queue", help="Only jobs of this queue.")]
Code = Annotated[str | None, typer.Option(help="Only jobs with this error code, their own or an item's.")]
Since = Annotated[str | None, typer.Option(help="Only jobs accepted since: an age (30m, 2h, 7d), or a time.")]


@app.command("list")
def list_jobs(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    status: Annotated[Status | None, typer.Option(help="Only jobs in this state.")] = None,
    kind: OfKind = None,
    queue: OfQueue = None,
    collection: Name = None,
    code: Code = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, help="Jobs at most.")] = 20,
    api: options.Api = None,
    key: options.Key = None,
) -> None:
    """List jobs, newest first."""
    filters = {"status": status, "kind": kind, "queue": queue, "collection": collection, "code": code}
    with options.open_client(api, key) as client:
        found = client.jobs(filters | {"since": since and _instant(since)}, limit)
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
def move(
    job_id: options.JobId,
    queue: Annotated[Queue, typer.Argument(metavar="QUEUE", help="critical, default or low.")],
    api: options.Api = None,
    key: options.Key = None,
) -> None:
    """Have the rest of a job done at the priority of another queue."""
    with options.open_client(api, key) as client:
        _print(client, client.move(job_id, queue))


@app.command()
def retry(
    job_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Id of the job; or give --failed.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All jobs with failed items that match.")] = False,
    collection: Name = None,
    queue: OfQueue = None,
    code: Code = None,
    since: Since = None,
    api: options.Api = None,
    key: options.Key = None,
) -> None:
    """Try the failed items of a job again, or with --failed those of many; what succeeded is not paid again.

    With --code, only items that failed with it.
    """
    filters = {"collection": collection, "queue": queue, "code": code, "since": since and _instant(since)}
    if (job_id is None) != failed or (job_id and any(filters.values())):
        raise typer.BadParameter("give the ID of a job, or --failed with or without filters")
    with options.open_client(api, key) as client:
        if job_id:
            _print(client, client.retry(job_id))
        else:  # the API wants some filter, so that nobody retries everything by an empty body
            _retry_matching(client, filters if any(filters.values()) else {"since": "1970-01-01T00:00:00Z"})


def _retry_matching(client: Client, filters: dict[str, str | None]) -> None:
    retried = skipped = 0
    for done in client.retry_matching(filters):
        retried, skipped = retried + done.retried, skipped + done.skipped
        for job in done.data:
            output.answers().print(job.id)
    faster = f"; {skipped} were retried by somebody else" if skipped else ""
    many = "1 job is" if retried == 1 else f"{retried} jobs are"
    anew = "" if retried else " What was refused when it was sent cannot be: send it anew."
    output.remark(f"{many} tried again{faster}.{anew}")


def _instant(text: str) -> str:
    return instant(text, datetime.now(UTC)).isoformat()


def _print(client: Client, job: Job) -> None:
    output.answers().print(render.job_details(job, failed_items(client, [job])))
