"""The part of `dbrag demo` that is about interruptions: an ingestion is killed, and taken up again."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from dbrag.cli import estimate, resume
from dbrag.cli.journal import Known
from dbrag.cli.sources import Source
from dbrag.cli.upload import Upload
from dbrag.cli.watch import board, follow
from dbrag.client.model import Estimate, Job
from dbrag.errors import Permanent


def dry_run(upload: Upload, console: Console, files: Sequence[Source]) -> Estimate:
    """Tells what sending the files would cost, before anything is sent."""
    price = estimate.of(upload, resume.plan(files, Known()))
    console.print(f"  dry run: {estimate.sentence(price)}", markup=False, soft_wrap=True)
    return price


def ingest(upload: Upload, console: Console, key: str, paths: Sequence[str], files: Sequence[Source]) -> list[Job]:
    """Has a `dbrag ingest` of `paths` killed after its first batch, and sends the rest of their files.

    All jobs of both, ended.
    """
    client = upload.client
    _interrupted(upload, key, paths)
    console.print("  dbrag ingest …: killed (SIGKILL) when its first batch was accepted. The same again:")
    with upload.open_journal(again=False) as written:
        before = [client.job(job_id) for job_id in written.known.open_jobs]
        earlier = resume.earlier_jobs(client, written)
        plan = resume.plan(files, written.known)
        if not plan.before:
            raise Permanent("The ingestion that was to be interrupted has sent nothing; what it said is above.")
        console.print(f"  resumed: {plan.before} of {len(files)} files were sent before, {plan.left} are sent now")
        with board(console) as shown:
            sent = upload.run(plan, earlier, written, shown)
            both = {job.id: job for job in (*before, *sent.jobs)}
            ended = follow(client, list(both.values()), shown)
        resume.settle(client, written, ended)
    return ended


def _interrupted(upload: Upload, key: str, paths: Sequence[str]) -> None:
    """Runs until it says how far it is, which it does first when its first batch has been accepted."""
    options = ["--collection", upload.collection, "--batch-files", str(upload.batch_files), "--again", "--no-recursive"]
    argv = [sys.executable, "-m", "dbrag", "ingest", *paths, *options]
    env = os.environ | {"DBRAG_API_URL": upload.client.base_url, "DBRAG_API_KEY": key}
    with subprocess.Popen(argv, cwd=Path.cwd(), env=env, stdout=subprocess.PIPE) as process:  # noqa: S603 (our own program)
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
