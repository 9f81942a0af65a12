"""`dbrag ingest`: send files as documents, and follow them until they are searchable."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dbrag.cli import options, output, render
from dbrag.cli.client import Client
from dbrag.cli.model import Item, Job, Problem
from dbrag.cli.sources import Source, batches, find
from dbrag.cli.tally import exit_code, tally, usd
from dbrag.cli.watch import Board, board, follow, refresh
from dbrag.errors import TooLarge
from dbrag.jobs.model import ItemStatus, Queue

# A full queue answers 429 until workers catch up; for a large ingestion that is normal.
PATIENCE_S = 900.0


@dataclass(slots=True)
class Sent:
    """What the API accepted, and the files it would not take at all."""

    jobs: list[Job] = field(default_factory=list[Job])
    refused: list[Item] = field(default_factory=list[Item])


def ingest(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders or globs.")],
    collection: options.Collection,
    queue: Annotated[
        Queue, typer.Option(help="Who is served first: critical, then default, then low.")
    ] = Queue.DEFAULT,
    recursive: Annotated[bool, typer.Option(help="Take the folders inside folders too.")] = True,
    wait: Annotated[bool, typer.Option(help="Follow the jobs until they end; else print their ids.")] = True,
    api: options.Api = None,
    key: options.Key = None,
) -> None:
    """Send files to a collection, which is created if need be; a file's path becomes its document's external_id.

    Ends with 0 if every document is searchable, 3 if some failed, 1 if something else went wrong.
    """
    files = find(paths, recursive=recursive, base=Path.cwd())
    console = output.answers()
    with options.open_client(api, key, patience_s=PATIENCE_S) as client:
        if client.ensure_collection(collection):
            output.remark(f"Created the collection {collection}.")
        with board(console if wait else output.remarks()) as shown:
            sent = send(client, collection, files, queue, shown)
            if wait:
                sent.jobs = follow(client, sent.jobs, shown)
        report(client, console, sent) if wait else list_ids(console, sent)
    raise typer.Exit(3 if sent.refused else exit_code(sent.jobs) if wait else 0)


def send(client: Client, collection: str, files: Sequence[Source], queue: Queue, shown: Board) -> Sent:
    """Send `files` batch by batch, showing meanwhile how far the earlier batches are."""
    sent = Sent()
    for batch in batches(files):
        try:
            sent.jobs.append(client.send_files(collection, batch, queue))
        except TooLarge as exc:
            if len(batch) > 1:
                raise
            sent.refused.append(_refused(batch[0], exc))
        sent.jobs = refresh(client, sent.jobs)
        shown.show(tally(sent.jobs, expected=len(files)))
    return sent


def report(client: Client, console: Console, sent: Sent) -> None:
    """Say what became of everything, failed items last with their reasons."""
    total = tally(sent.jobs)
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
    return [item for job in jobs if job.counts.failed for item in client.failed_items(job.id)]


def list_ids(console: Console, sent: Sent) -> None:
    for job in sent.jobs:
        console.print(job.id)
    if sent.refused:
        output.remark("\n".join(f"{item.external_id}: {item.error and item.error.detail}" for item in sent.refused))


def _refused(file: Source, error: TooLarge) -> Item:
    problem = Problem(code=error.code, detail=error.detail)
    return Item(index=0, external_id=file.name, status=ItemStatus.FAILED, error=problem)
