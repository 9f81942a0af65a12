"""Workers of the release before run beside new ones."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.faults.harness.fleet import ON_ITS_WAY_S, Fleet
from tests.faults.harness.strike import strike
from tests.running import ROOT

# The last commit of the release before: what its workers read and write is what a rolling update meets.
BEFORE = "a802d81"


@strike("a worker of the release before, beside those of this one")
def old_worker(fleet: Fleet) -> None:
    """It works with the new schema, and what one does the other can go on with."""
    spec = fleet.worker.spec
    argv = [str(word).replace("general@", "old@") for word in spec.argv]
    before = checkout(fleet.servers.folder / "before")
    log = fleet.servers.folder / "logs" / "worker-old.log"
    old = replace(spec, name="worker-old", argv=argv, cwd=before, ready=lambda: b" ready." in log.read_bytes())
    with fleet.beside(old, ON_ITS_WAY_S):  # the release before ends with its request in flight
        with fleet.paused(*fleet.workers):  # so that it gets something to do
            fleet.moment(1, 2)
            fleet.until(lambda: b'"embedding"' in log.read_bytes(), "the old worker does nothing")
        fleet.moment()


def checkout(folder: Path) -> Path:
    """The release before, out of git's history."""
    if not folder.exists():
        packing = ["git", "archive", "--format=zip", BEFORE]
        archive = subprocess.run(packing, cwd=ROOT, capture_output=True, check=True).stdout
        ZipFile(BytesIO(archive)).extractall(folder)
    return folder


def has_history() -> bool:
    known = subprocess.run(["git", "cat-file", "-e", BEFORE], cwd=ROOT, capture_output=True, check=False)
    return known.returncode == 0


@pytest.mark.skipif(not has_history(), reason=f"needs git and its history, back to {BEFORE}")
def test_workers_of_two_releases_work_together(survives: Callable[..., object]) -> None:
    survives(old_worker)
