"""A document that kills whoever works on it: it fails alone, with that reason, and nobody waits for it."""

import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from dbrag.documents.poison import TRIES
from tests.integration.extract_files import docx
from tests.running import LEASE_S, PATIENCE_S, Platform

POISON = "poison.docx"
INNOCENT = [f"{n}.txt" for n in range(7)]


@pytest.fixture(scope="module")
def poison() -> bytes:
    """A file that takes a third of a second to read, in which the test kills who reads it."""
    return docx(["hello world", *[""] * 500_000])


def submit(platform: Platform, path: str, files: dict[str, bytes]) -> str:
    """A batch of files; its job's id."""
    parts = [("file", (name, content)) for name, content in files.items()]
    answer = platform.client.post(f"{path}/documents:batch", files=parts)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def until(what: Callable[[], Any]) -> Any:
    """What is asked for, as soon as it is there; asked often, since a document is at work for a moment."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


def readers(platform: Platform) -> list[psutil.Process]:
    """The worker's children whose extractor works."""
    return [
        child
        for child in psutil.Process(platform.worker.pid).children()
        if any(process.cpu_percent(0.01) > 0 for process in child.children())
    ]


def tries(platform: Platform, job_id: str) -> int:
    with platform.database() as conn:
        row = conn.execute("SELECT tries FROM job_items WHERE job_id = %s AND external_id = %s", [job_id, POISON])
        return row.fetchone()[0]


def items(platform: Platform, job_id: str) -> dict[str, dict[str, Any]]:
    answer = platform.client.get(f"/jobs/{job_id}/items", params={"limit": 100}).raise_for_status()
    return {item["external_id"]: item for item in answer.json()["data"]}


def test_a_document_that_kills_its_worker_fails_alone_and_delays_nobody(platform: Platform, poison: bytes) -> None:
    path = platform.collection("poison")
    texts = {name: f"{name} is innocent.".encode() for name in INNOCENT}
    job_id = submit(platform, path, dict(list(texts.items())[:3]) | {POISON: poison} | dict(list(texts.items())[3:]))
    for victim in until(lambda: readers(platform)):
        victim.kill()
    assert tries(platform, job_id) == 0, "the first attempt takes all at once and writes nothing beside"
    started = time.monotonic()
    [other] = platform.wait(submit(platform, path, {"other.txt": b"Somebody else's text."}))
    assert other["status"] == "succeeded"
    assert time.monotonic() - started < LEASE_S

    for number in range(1, TRIES + 1):
        until(lambda number=number: tries(platform, job_id) == number)
        for victim in until(lambda: readers(platform)):
            victim.kill()
        if number > 1:
            waiting = [name for name, item in items(platform, job_id).items() if item["status"] == "queued"]
            assert waiting == [POISON], "no innocent document waits behind it"
        with platform.database() as conn:  # as if a lease had passed
            conn.execute("UPDATE jobs SET lease_until = now() WHERE id = %s AND claim_id IS NOT NULL", [job_id])
    [job] = platform.wait(job_id)
    assert (job["status"], job["counts"]["completed"], job["counts"]["failed"]) == ("completed_with_errors", 7, 1)
    error = items(platform, job_id)[POISON]["error"]
    assert error["code"] == "poison"
    assert "split it into smaller ones" in error["detail"]

    platform.client.post(f"/jobs/{job_id}:retry").raise_for_status()
    [job] = platform.wait(job_id)
    assert (job["status"], job["counts"]["completed"]) == ("succeeded", 8), items(platform, job_id)
