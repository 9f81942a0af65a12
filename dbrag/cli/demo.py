"""`dbrag demo`: the whole way of real documents, shown and checked."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.padding import Padding

from dbrag.cli import demo_catalog, demo_resume, output, render
from dbrag.cli.ingest import failed_items
from dbrag.cli.sources import Source, find
from dbrag.cli.tally import Tally, tally, usd
from dbrag.cli.upload import Upload
from dbrag.client import Client
from dbrag.client.model import Estimate, Item, Job
from dbrag.client.transport import is_loopback
from dbrag.errors import Permanent
from dbrag.jobs.model import Status

COLLECTION = "samples"
MODEL = "text-embedding-3-small"
# What the embedded stack's model has by nature; OpenAI's model can be shortened to it.
DIMENSIONS = 256
BROKEN = "broken"
BATCH_FILES = 4
NOTE = {
    "external_id": "note",
    "title": "A note, sent as JSON",
    "text": "Whoever waits for a job can see why: its place in the queue, the rate limit or the budget that holds it, "
    "its progress and its cost are in the API, in the command line client, in Flower and in the metrics.",
    "metadata": {"source": "dbrag demo"},
    "queue": "critical",
}
# The first four are answered by samples/, the last by docs/.
QUESTIONS = (
    "Can the president be removed from office by impeachment?",
    "Where should variable data such as logs be stored?",
    "Should I install stable, testing or unstable?",
    "radioactive metal used as fuel in nuclear reactors",
    "What happens when a worker is killed?",
)
NEXT = """\
  make up                                 the same stack, left running; it prints the address of Flower, which shows
                                          every task, and of the API's pages (/docs)
  .venv/bin/dbrag ingest PATH…            your own files (--collection NAME); then: dbrag search "a question"
  .venv/bin/dbrag catalog search "…"      tables of a database; `catalog add` registers yours (docs/catalog.md)
  .venv/bin/dbrag jobs list, … doctor     what is going on, and what is wrong
  README.md, docs/                        a tour with curl, the settings, the states of a job, decisions
"""
HITS = 2
SNIPPET_CHARS = 240


def demo() -> None:
    """Start everything here, ingest samples/ and docs/, search them, show the cost, stop. Ends with 0 if all worked."""
    root, console = Path.cwd(), output.answers()
    files = samples(root)
    from dbrag.devstack.up import running_stack  # noqa: PLC0415 (needs the extra [embedded])

    begun = time.monotonic()
    _heading(
        console, "1. Starting PostgreSQL, Redis, a local embedding model, the API, workers, relay, beat and Flower"
    )
    with running_stack(root) as stack:
        _addresses(console, stack, time.monotonic() - begun)
        with Client(stack["api"], stack["api_key"], notice=output.remark) as client:
            tour = Tour(client, console, stack["api_key"])
            wrong = tour.run(files, is_local=is_loopback(stack["embeddings"]))
            wrong += _databases(client, console, stack, root)
    _heading(console, "Where to look next")
    console.print(NEXT, markup=False, soft_wrap=True)
    for sentence in wrong:
        output.failure(sentence)
    if not wrong:
        console.print("All of it worked.", style="bold green")
    raise typer.Exit(1 if wrong else 0)


class Tour:
    """The guided way through a running stack."""

    def __init__(self, client: Client, console: Console, key: str) -> None:
        self._client = client
        self._console = console
        self._key = key

    def run(self, files: Sequence[Source], *, is_local: bool) -> list[str]:
        """Ingest `files`, search them, show the cost (`is_local`: none was paid).

        Returns what did not go as it should, a sentence each.
        """
        price, jobs = self._ingest(files)
        failed = failed_items(self._client, jobs)
        self._outcome(jobs, failed)
        silent = self._search()
        self._cost(price, tally(jobs), is_local=is_local)
        return ingest_faults(jobs, failed, {file.name for file in files if is_broken(file)}) + silent

    def _ingest(self, files: Sequence[Source]) -> tuple[Estimate, list[Job]]:
        _heading(self._console, f"2. Sending a note as JSON, and {len(files)} files of samples/ and docs/, interrupted")
        self._client.put_collection(COLLECTION, model=MODEL, dimensions=DIMENSIONS)
        note = self._client.submit_document(COLLECTION, NOTE)
        self._say(f"note: accepted as job {note.id}, queue {note.queue}")
        upload = Upload(self._client, COLLECTION, batch_files=BATCH_FILES)
        price = demo_resume.dry_run(upload, self._console, files)
        jobs = demo_resume.ingest(upload, self._console, self._key, sample_paths(Path.cwd()), files)
        return price, [*jobs, self._client.wait(note.id)]

    def _outcome(self, jobs: Sequence[Job], failed: Sequence[Item]) -> None:
        total = tally(jobs)
        self._say(f"{total.done - total.failed} of {total.total} documents are searchable, in {len(jobs)} jobs")
        for job in jobs:
            if job.status is not Status.SUCCEEDED:
                self._say(f"job {job.id} {job.status}: {job.counts.completed} of {job.counts.total}")
        if failed:
            self._say("Some samples are broken on purpose: failed items of a job that completed with errors.")
            self._console.print(Padding(render.failures(failed), (0, 0, 0, 2), expand=False))

    def _search(self) -> list[str]:
        _heading(self._console, "3. Searching")
        silent: list[str] = []
        for question in QUESTIONS:
            found = self._client.search(COLLECTION, question, HITS)
            self._console.print(f"  “{question}”", style="bold")
            self._console.print(Padding(render.hits(found, SNIPPET_CHARS), (0, 0, 1, 2), expand=False))
            if not found:
                silent.append(f"The search for “{question}” found nothing.")
        return silent

    def _cost(self, price: Estimate, total: Tally, *, is_local: bool) -> None:
        _heading(self._console, "4. What it cost")
        self._say(
            f"{total.prompt_tokens:,} tokens were embedded, {total.texts_from_cache} texts came from stored vectors."
        )
        if is_local:
            self._say(f"OpenAI's {MODEL} would have cost {usd(total.cost_usd)}; the local model costs nothing.")
        else:
            self._say(f"{MODEL} cost {usd(total.cost_usd)}.")
        self._say(f"The dry run had said {usd(price.cost_usd)} for the files.")

    def _say(self, text: str) -> None:
        self._console.print(f"  {text}", markup=False, soft_wrap=True)


def _databases(client: Client, console: Console, stack: Mapping[str, Any], root: Path) -> list[str]:
    """Only where the server is this stack's own: on a user's no database is made without being asked for."""
    if "postgres" not in stack["pids"]:
        return []
    _heading(console, "5. Describing the tables of a sample database, read with a role that may do nothing else")
    dsn = demo_catalog.sample_database(stack["database_url"], root)
    wrong = demo_catalog.describe(client, console, dsn)
    _heading(console, "6. Asking: is it in a document or in a table?")
    return wrong + demo_catalog.route(client, console)


def is_broken(file: Source) -> bool:
    """Whether a sample is broken on purpose (samples/SOURCES.md)."""
    return file.path.name.startswith(BROKEN)


def ingest_faults(jobs: Sequence[Job], failed: Sequence[Item], broken: set[str]) -> list[str]:
    """What is not as the samples make it: the broken files fail, and nothing else does."""
    faults: list[str] = []
    for job in jobs:
        expected = Status.COMPLETED_WITH_ERRORS if job.counts.failed else Status.SUCCEEDED
        if job.status is not expected:
            faults.append(f"Job {job.id} ended {job.status}, not {expected}.")
    names = {item.external_id for item in failed}
    if names != broken:
        faults.append(f"Failed were {sorted(map(str, names))}, not the broken samples {sorted(broken)}.")
    return faults


def samples(root: Path) -> list[Source]:
    """The documents of samples/ and docs/. Raises: Permanent where this is no checkout."""
    # What lies in a folder below, such as databases/, is no document.
    return find(sample_paths(root), recursive=False, base=root)


def sample_paths(root: Path) -> list[str]:
    """What `dbrag ingest` is to be called with for the same. Raises: Permanent."""
    folder = root / "samples"
    if not folder.is_dir():
        raise Permanent(f"There is no samples/ in {root}: run `make demo` in a checkout of dbrag.")
    return [str(folder), *map(str, sorted((root / "docs").glob("*.md")))]


def _heading(console: Console, text: str) -> None:
    console.print(f"\n{text}", style="bold cyan", soft_wrap=True)


def _addresses(console: Console, stack: Mapping[str, Any], seconds: float) -> None:
    console.print(f"  ready after {seconds:.1f} s: {len(stack['pids'])} processes")
    for name in ("api", "flower", "embeddings"):
        console.print(f"  {name:<12}{stack[name]}")
