"""`dbrag jobs`: list, look at, follow, move, cancel and retry jobs."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from dbrag.cli import complete, options, output, render
from dbrag.cli.exit_codes import of_jobs
from dbrag.cli.ingest import failed_items
from dbrag.cli.times import instant
from dbrag.cli.watch import board, follow
from dbrag.client import Client
from dbrag.client.model import Job, JobFilters
from dbrag.jobs.model import Kind, Queue, Status

EVER = datetime(1970, 1, 1, tzinfo=UTC)
app = typer.Typer(no_args_is_help=True, help="List, look at, follow, move, cancel and retry jobs.")
Name = Annotated[
    str | None,
    typer.Option("--collection", "-c", autocompletion=complete.collection, help="Only jobs of this collection."),
]
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
    as_json: options.Json = False,
    api: options.Api = None,
    key: options.Key = None,
) -> None:
    """List jobs, newest first."""
    filters = JobFilters(status=status, kind=kind, queue=queue, collection=collection, code=code, since=_instant(since))
    with options.open_client(api, key) as client:
        found = client.jobs(limit, **filters)
    if as_json:
        output.json([job.model_dump(mode="json") for job in found])
    else:
        output.answers().print(render.jobs_table(found, datetime.now(UTC)) if found else "No jobs.")


@app.command()
def show(
    job_id: options.JobId, as_json: options.Json = False, api: options.Api = None, key: options.Key = None
) -> None:
    """Show a job: its status, what it waits for, progress, counts, cost and failed items."""
    with options.open_client(api, key) as client:
        job = client.job(job_id)
        output.json(_whole(client, job)) if as_json else _print(client, job)


@app.command()
def watch(
    job_ids: Annotated[list[str], typer.Argument(metavar="ID", autocompletion=complete.job, help="Ids of jobs.")],
    as_json: options.Json = False,
    api: options.Api = None,
    key: options.Key = None,
) -> None:
    """Follow jobs until they end. Ends with 0 if all succeeded, 3 if items failed, else 1."""
    with options.open_client(api, key) as client:
        with board(output.remarks() if as_json else output.answers()) as shown:
            jobs = follow(client, [client.job(job_id) for job_id in job_ids], shown)
        if as_json:
            output.json([_whole(client, job) for job in jobs])
        else:
            for job in jobs:
                _print(client, job)
    raise typer.Exit(of_jobs(jobs))


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
    job_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", autocompletion=complete.job, help="Id of the job; or give --failed."),
    ] = None,
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
    filters = JobFilters(collection=collection, queue=queue, code=code, since=_instant(since))
    if (job_id is None) != failed or (job_id and any(filters.values())):
        raise typer.BadParameter("give the ID of a job, or --failed with or without filters")
    with options.open_client(api, key) as client:
        if job_id:
            _print(client, client.retry(job_id))
        else:  # the API wants some filter, so that nobody retries everything by an empty body
            _retry_matching(client, filters if any(filters.values()) else JobFilters(since=EVER))


def _retry_matching(client: Client, filters: JobFilters) -> None:
    retried = skipped = 0
    for done in client.retry_matching(**filters):
        retried, skipped = retried + done.retried, skipped + done.skipped
        for job in done.data:
            output.answers().print(job.id)
    faster = f"; {skipped} were retried by somebody else" if skipped else ""
    many = "1 job is" if retried == 1 else f"{retried} jobs are"
    anew = "" if retried else " What was refused when it was sent cannot be: send it anew."
    output.remark(f"{many} tried again{faster}.{anew}")


def _instant(text: str | None) -> datetime | None:
    return instant(text, datetime.now(UTC)) if text else None


def _whole(client: Client, job: Job) -> dict[str, Any]:
    """The job as the API has it, and its failed items."""
    failed = [item.model_dump(mode="json") for item in failed_items(client, [job])]
    return job.model_dump(mode="json") | {"failed_items": failed}


def _print(client: Client, job: Job) -> None:
    output.answers().print(render.job_details(job, failed_items(client, [job])))
