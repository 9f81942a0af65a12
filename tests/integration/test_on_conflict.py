"""What becomes of documents that exist: replaced, skipped or refused, as `on_conflict` says."""

from threading import Barrier, Thread
from typing import Any

import pytest
from api_client import Call, body, pointers

from dbrag.database.pool import connect
from dbrag.documents import collections
from dbrag.documents.accept import accept
from dbrag.documents.model import Collection, OnConflict, Submission
from dbrag.jobs.model import Kind, Queue
from dbrag.settings import Settings
from tests.running import Platform

pytest_plugins = ["api_fixtures"]


def items(call: Call, job: dict[str, Any]) -> dict[str, str]:
    return {item["external_id"]: item["status"] for item in body(call("GET", f"/v1/jobs/{job['id']}/items"))["data"]}


def two(call: Call, collection: str, on_conflict: str) -> dict[str, Any]:
    """A batch of a document that exists and a new one."""
    assert call("POST", f"{collection}/documents", json={"external_id": "old", "text": "Old."}).status_code == 202
    batch = [{"external_id": name, "text": "New."} for name in ("old", "new")]
    answer = call("POST", f"{collection}/documents:batch?on_conflict={on_conflict}", json=batch)
    assert answer.status_code == 202
    return body(answer)


def test_skip_leaves_the_document_alone(call: Call, collection: str) -> None:
    job = two(call, collection, "skip")
    assert items(call, job) == {"old": "skipped", "new": "queued"}
    assert (job["counts"]["total"], job["counts"]["skipped"], job["status"]) == (2, 1, "queued")
    document = body(call("GET", f"{collection}/documents/old"))
    assert (document["text"], document["version"]) == ("Old.", 1)


def test_error_fails_the_item_with_what_to_do(call: Call, collection: str) -> None:
    job = two(call, collection, "error")
    assert items(call, job) == {"old": "failed", "new": "queued"}
    (failed,) = body(call("GET", f"/v1/jobs/{job['id']}/items?status=failed"))["data"]
    assert failed["error"]["code"] == "exists"
    assert "on_conflict=replace" in failed["error"]["detail"]


def test_replace_is_the_default(call: Call, collection: str) -> None:
    assert items(call, two(call, collection, "replace")) == {"old": "queued", "new": "queued"}


def test_a_single_document_that_exists_is_refused(call: Call, collection: str) -> None:
    sent = {"external_id": "old", "text": "Old."}
    first = call("POST", f"{collection}/documents?on_conflict=error", json=sent)
    refused = call("POST", f"{collection}/documents?on_conflict=error", json=sent)
    assert (first.status_code, refused.status_code, body(refused)["code"]) == (202, 409, "exists")
    assert len(body(call("GET", f"/v1/jobs?collection={collection.rpartition('/')[2]}"))["data"]) == 1


def test_a_job_of_nothing_but_skipped_items_has_succeeded(call: Call, collection: str) -> None:
    sent = {"external_id": "old", "text": "Old."}
    call("POST", f"{collection}/documents", json=sent)
    job = body(call("POST", f"{collection}/documents?on_conflict=skip", json=sent))
    assert (job["status"], job["counts"]["skipped"]) == ("succeeded", 1)
    assert job["result"] == {"completed": 0, "existing": 1, "superseded": False}


def test_an_unknown_word_is_refused(call: Call, collection: str) -> None:
    answer = call("POST", f"{collection}/documents?on_conflict=ignore", json={"text": "A."})
    assert (answer.status_code, pointers(answer)) == (422, ["?on_conflict"])


def test_what_was_deleted_or_has_failed_does_not_stand_in_the_way(
    call: Call, collection: str, api_settings: Settings
) -> None:
    for name in ("deleted", "failed"):
        call("POST", f"{collection}/documents", json={"external_id": name, "text": "Old."})
    call("DELETE", f"{collection}/documents/deleted")
    with connect(api_settings) as conn:
        conn.execute(
            "UPDATE document_versions SET status = 'failed' WHERE document_id IN"
            " (SELECT id FROM documents WHERE external_id = 'failed')"
        )
    batch = [{"external_id": name, "text": "New."} for name in ("deleted", "failed")]
    job = body(call("POST", f"{collection}/documents:batch?on_conflict=error", json=batch))
    assert items(call, job) == {"deleted": "queued", "failed": "queued"}


def test_of_two_at_once_one_is_skipped(call: Call, collection: str, api_settings: Settings) -> None:
    """Both look before either has written: the one that gets the document's lock later sees the other's version."""
    with connect(api_settings) as conn:
        row = conn.execute("SELECT id FROM collections WHERE name = %s", [collection.rpartition("/")[2]]).fetchone()
        assert row
        own = collections.by_id(conn, row[0])
    assert own
    looked, statuses = Barrier(2), list[int]()

    def run(collection: Collection) -> None:
        with connect(api_settings) as conn:
            conn.execute("SELECT 1")
            looked.wait()
            sent = [Submission("a", text="A.")]
            job = accept(conn, collection, Kind.INGEST_DOCUMENT, Queue.DEFAULT, sent, OnConflict.SKIP)
            statuses.append(job.skipped)

    threads = [Thread(target=run, args=[own]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [0, 1]


@pytest.mark.parametrize("kind", ["documents:batch", "embeddings"])
def test_skipping_costs_nothing_and_the_rest_goes_live(platform: Platform, kind: str) -> None:
    path = platform.collection(f"skip-{kind.partition(':')[0]}")
    batch = [{"external_id": name, "text": f"The text of {name}."} for name in ("a", "b")]
    first = platform.client.post(f"{path}/{kind}", json=batch[:1]).json()
    platform.wait(first["id"])
    again = [batch[0] | {"text": "Another text of a."}, batch[1]]
    second = platform.client.post(f"{path}/{kind}?on_conflict=skip", json=again).json()
    (job,) = platform.wait(second["id"])
    assert (job["status"], job["counts"]["completed"], job["counts"]["skipped"]) == ("succeeded", 1, 1)
    assert job["result"]["superseded"] is False
    assert platform.client.get(f"{path}/documents/a").json()["text"] == "The text of a."
