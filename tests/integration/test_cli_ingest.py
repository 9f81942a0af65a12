"""`dbrag ingest` that is interrupted, and taken up again, against a running platform."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from dbrag.cli.journal import FOLDER
from tests.integration.forwarding import Proxy, proxy
from tests.running import Platform

Dbrag = Callable[..., Result]
PATIENCE_S = 60


@pytest.fixture
def between(platform: Platform, dbrag: Dbrag, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy, through which `dbrag` talks to the API."""
    with proxy(platform.api.url) as between:
        monkeypatch.setenv("DBRAG_API_URL", between.url)
        yield between


def start(*arguments: str) -> subprocess.Popen[str]:
    """The program itself, in this environment; it hears Ctrl-C, even where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "dbrag", *arguments],
            env=os.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def write(*names: str) -> None:
    for name in names:
        Path(name).write_text(f"This is {name}.")


def totals(platform: Platform, collection: str) -> list[int]:
    """How many items each of a collection's jobs has."""
    jobs = platform.client.get("/jobs", params={"collection": collection, "kind": "ingest_document"}).json()["data"]
    return sorted(job["counts"]["total"] for job in jobs)


def killed(between: Proxy, *arguments: str, after_batches: int) -> None:
    """A run that is killed while a batch, after so many, is on its way."""
    between.hold = after_batches + 1
    with start(*arguments) as process:
        assert between.held.wait(PATIENCE_S)
        process.kill()


@pytest.mark.parametrize("reached_the_api", [False, True])
def test_a_run_that_was_killed_sends_nothing_twice(
    platform: Platform, dbrag: Dbrag, between: Proxy, reached_the_api: bool
) -> None:
    name = f"cli-killed-{reached_the_api}".lower()
    platform.collection(name)
    write(*(f"{number:02}.txt" for number in range(12)))
    command = ("ingest", ".", "--collection", name, "--batch-files", "3")
    between.hold_answer_only = reached_the_api
    killed(between, *command, after_batches=1)
    again = dbrag(*command)
    assert again.exit_code == 0, again.output
    assert "resumed: 3 of 12 files were sent before" in again.stderr
    assert totals(platform, name) == [3, 3, 3, 3]
    assert between.keys[1] == between.keys[2]
    assert (len(between.keys), len(set(between.keys))) == (5, 4)
    third = dbrag(*command)
    assert (third.exit_code, third.stdout) == (0, "  0%  0/0 documents · $0.00\nNothing was left to be sent.\n")
    assert "resumed: 12 of 12" in third.stderr
    assert len(between.keys) == 5


def test_a_batch_that_was_on_its_way_is_another_one_once_a_file_has_changed(
    platform: Platform, dbrag: Dbrag, between: Proxy
) -> None:
    path = platform.collection("cli-changed")
    write("a.txt", "b.txt")
    command = ("ingest", ".", "--collection", "cli-changed")
    killed(between, *command, after_batches=0)
    Path("a.txt").write_text("Something else.")
    assert dbrag(*command).exit_code == 0
    assert between.keys[0] != between.keys[1]
    assert platform.search(path, "Something else.", limit=1)[0]["score"] == pytest.approx(1, abs=1e-3)


def test_what_failed_has_changed_or_is_new_is_sent_again(platform: Platform, dbrag: Dbrag) -> None:
    platform.collection("cli-rest")
    write("same.txt", "changed.txt", "touched.txt")
    Path("bad.txt").write_text("One more POISON, in a file.")
    platform.provider.script(refuse_containing="POISON")
    assert dbrag("ingest", ".", "-c", "cli-rest").exit_code == 3
    platform.provider.script()
    Path("changed.txt").write_text("This is no longer what it was.")
    write("touched.txt", "new.txt")
    result = dbrag("ingest", ".", "-c", "cli-rest", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["sent_before"] == 2
    assert found["documents"] == {"total": 3, "completed": 3, "failed": 0}
    assert found["failed"] == []
    assert [job["status"] for job in found["jobs"]] == ["succeeded"]
    assert dbrag("ingest", ".", "-c", "cli-rest", "--again", "--json").exit_code == 0
    assert totals(platform, "cli-rest") == [3, 4, 5]


def test_jobs_of_an_earlier_run_are_followed_to_their_end(platform: Platform, dbrag: Dbrag) -> None:
    platform.collection("cli-earlier")
    write("a.txt")
    with platform.down(platform.worker):
        job_id = dbrag("ingest", "a.txt", "-c", "cli-earlier", "--no-wait").stdout.strip()
        write("b.txt")
        process = start("ingest", ".", "-c", "cli-earlier", "--json")
        assert process.stderr is not None
        while "/2 documents" not in process.stderr.readline():  # both jobs are followed now
            assert process.poll() is None
    jobs = json.loads(process.communicate(timeout=PATIENCE_S)[0])["jobs"]
    assert (jobs[0]["id"], [job["status"] for job in jobs]) == (job_id, ["succeeded", "succeeded"])


def test_a_collection_that_was_made_anew_holds_nothing_of_before(platform: Platform, dbrag: Dbrag) -> None:
    write("a.txt")
    for _ in range(2):
        platform.collection("cli-anew")
        sent = dbrag("ingest", "a.txt", "-c", "cli-anew")
        assert "1 of 1 documents are searchable" in sent.stdout
        assert "resumed" not in sent.stderr
        assert dbrag("collections", "delete", "cli-anew", "--yes").exit_code == 0


def test_a_folder_that_cannot_be_written_to_can_be_sent_all_the_same(platform: Platform, dbrag: Dbrag) -> None:
    platform.collection("cli-read-only")
    write("a.txt")
    FOLDER.parent.mkdir()
    FOLDER.touch()  # no folder can be made where a file is
    sent = dbrag("ingest", "a.txt", "-c", "cli-read-only")
    assert (sent.exit_code, sent.stdout.splitlines()[-1][:6]) == (0, "1 of 1")
    assert "the next one would send everything again" in sent.stderr


def test_ctrl_c_leaves_the_work_going_on_and_ends_with_130(platform: Platform, dbrag: Dbrag) -> None:
    platform.collection("cli-ctrl-c")
    write("a.txt")
    with platform.down(platform.worker):
        job_id = dbrag("ingest", "a.txt", "-c", "cli-ctrl-c", "--no-wait").stdout.strip()
        with start("jobs", "watch", job_id) as process:
            assert process.stdout is not None
            assert "0/1 documents" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert f"Look again with: dbrag jobs watch {job_id}" in said
    platform.wait(job_id)
