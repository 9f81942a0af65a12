"""`dbrag ingest`: send files as documents, and follow them until they are searchable."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from dbrag.cli import estimate, options, output, render, resume
from dbrag.cli.exit_codes import ExitCode, of_jobs
from dbrag.cli.sources import BATCH_FILES, find
from dbrag.cli.tally import tally, usd
from dbrag.cli.upload import Sent, Upload
from dbrag.cli.watch import board, follow
from dbrag.client import Client
from dbrag.client.model import Item, Job
from dbrag.jobs.model import ItemStatus, Queue

# A full queue answers 429 until workers catch up; for a large ingestion that is normal.
PATIENCE_S = 900.0


def ingest(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders or globs.")],
    collection: options.Collection,
    queue: Annotated[
        Queue, typer.Option(help="Who is served first: critical, then default, then low.")
    ] = Queue.DEFAULT,
    recursive: Annotated[bool, typer.Option(help="Take the folders inside folders too.")] = True,
    wait: Annotated[bool, typer.Option(help="Follow the jobs until they end; else print their ids.")] = True,
    again: Annotated[bool, typer.Option("--again", help="Send what was sent before, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing to keep; print what it would cost.")] = False,
    batch_files: Annotated[int, typer.Option(min=1, max=2000, help="Files in a batch at most.")] = BATCH_FILES,
    as_json: options.Json = False,
    api: options.Api = None,
    key: options.Key = None,
) -> None:
    """Send files to a collection, which is created if need be; a file's path becomes its document's external_id.

    The same command again goes on where it was interrupted: files that were sent from this folder, and have neither
    changed nor failed since, are left out (.dbrag/ingest/ says which), unless --again is given.

    Ends with 0 if every document is searchable, 3 if some failed, 1 if something else went wrong, 4 if it may go well
    later.
    """
    files = find(paths, recursive=recursive, base=Path.cwd())
    with options.open_client(api, key, patience_s=PATIENCE_S) as client:
        upload = Upload(client, collection, queue, batch_files)
        if dry_run:
            estimate.show(upload, files, again=again, as_json=as_json)
            return
        if client.ensure_collection(collection):
            output.remark(f"Created the collection {collection}.")
        with upload.open_journal(again=again) as written:
            earlier = resume.earlier_jobs(client, written)
            plan = resume.plan(files, written.known)
            if plan.before:
                output.remark(f"resumed: {plan.before:,} of {len(files):,} files were sent before; --again sends all")
            with board(output.remarks() if as_json or not wait else output.answers()) as shown:
                sent = upload.run(plan, earlier, written, shown)
                if wait:
                    sent.jobs = follow(client, sent.jobs, shown)
            resume.settle(client, written, sent.jobs)
        if as_json:
            output.json(_result(client, collection, sent))
        elif wait:
            report(client, output.answers(), sent)
        else:
            list_ids(sent)
    raise typer.Exit(ExitCode.SOME_FAILED if sent.refused else of_jobs(sent.jobs) if wait else ExitCode.OK)


def report(client: Client, console: Console, sent: Sent) -> None:
    """Say what became of everything, failed items last with their reasons."""
    total = tally(sent.jobs)
    if not (sent.jobs or sent.refused):
        console.print("Nothing was left to be sent.")
        return
    completed = sum(job.counts.completed for job in sent.jobs)
    paid = f"{total.prompt_tokens} tokens, {usd(total.cost_usd)}, {total.texts_from_cache} texts from the cache"
    console.print(f"{completed} of {total.total + len(sent.refused)} documents are searchable; {paid}.", markup=False)
    failed = sent.refused + failed_items(client, sent.jobs)
    if failed:
        console.print(render.failures(failed))
    for job in sent.jobs:
        if job.error:
            console.print(f"job {job.id} {job.status}: {job.error.detail}", markup=False, soft_wrap=True)


def failed_items(client: Client, jobs: Iterable[Job]) -> list[Item]:
    return [item for job in jobs if job.counts.failed for item in client.items(job.id, ItemStatus.FAILED)]


def list_ids(sent: Sent) -> None:
    for job in sent.jobs:
        typer.echo(job.id)
    if sent.refused:
        output.remark("\n".join(f"{item.external_id}: {item.error and item.error.detail}" for item in sent.refused))


def _result(client: Client, collection: str, sent: Sent) -> dict[str, Any]:
    """What scripts get; `documents` and `usage` are those of `jobs`."""
    total = tally(sent.jobs)
    failed = sent.refused + failed_items(client, sent.jobs)
    return {
        "collection": collection,
        "sent_before": sent.before,
        "documents": {
            "total": total.total + len(sent.refused),
            "completed": sum(job.counts.completed for job in sent.jobs),
            "failed": total.failed + len(sent.refused),
        },
        "usage": {
            "prompt_tokens": total.prompt_tokens,
            "texts_from_cache": total.texts_from_cache,
            "cost_usd": total.cost_usd,
        },
        "failed": [item.model_dump(mode="json", include={"external_id", "error"}) for item in failed],
        "jobs": [job.model_dump(mode="json") for job in sent.jobs],
    }
