"""The Python client against a running platform."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from dbrag.client import Client, File
from dbrag.errors import Conflict, Invalid, NotFound, Unauthorized
from dbrag.jobs.model import ItemStatus, Kind, Queue, Status
from dbrag.vectors.model import Mode
from tests.running import DIMENSIONS, Platform


@pytest.fixture
def client(platform: Platform) -> Iterator[Client]:
    key = platform.client.headers["Authorization"].removeprefix("Bearer ")
    with Client(platform.api.url, key) as client:
        yield client


@pytest.fixture
def name(client: Client) -> str:
    name = f"client-{uuid4().hex[:8]}"
    client.put_collection(name, dimensions=DIMENSIONS, chunking={"max_tokens": 40, "overlap_tokens": 0})
    return name


def test_what_is_submitted_is_waited_for_and_found(client: Client, name: str, tmp_path: Path) -> None:
    path = tmp_path / "fish.txt"
    path.write_text("Fish swim at dawn.")
    submitted = [
        client.submit(name, [{"external_id": "a/1", "text": "Cats hunt at night.", "metadata": {"legs": 4}}]),
        client.submit_document(name, {"external_id": "b", "text": "Dogs bark at noon."}),
        client.submit_files(name, [File("sub/c.txt", b"Birds sing at dusk.")], queue=Queue.CRITICAL),
        client.submit_file(name, path, external_id="d"),
        client.submit_texts(name, [{"external_id": "e", "text": "Bees hum."}], queue=Queue.LOW),
    ]
    ended = [client.wait(job.id) for job in submitted]
    assert {job.status for job in ended} == {Status.SUCCEEDED}
    assert [job.kind for job in ended] == [Kind.INGEST_DOCUMENT] * 4 + [Kind.BATCH_EMBED]
    best = client.search(name, "Birds sing at dusk.", limit=1)[0]
    assert (best.external_id, best.text, best.start, best.end) == ("sub/c.txt", "Birds sing at dusk.", 0, 19)
    (found,) = client.search(name, "cats", mode=Mode.TEXT, metadata_filter={"legs": 4})
    assert (found.external_id, found.metadata, found.highlights[0].end) == ("a/1", {"legs": 4}, 4)
    assert client.document(name, "d").text == "Fish swim at dawn."
    client.delete_document(name, "a/1")
    with pytest.raises(NotFound):
        client.document(name, "a/1")


def test_a_job_is_watched_to_its_end(client: Client, name: str) -> None:
    looks = list(client.watch(client.submit(name, [{"text": f"Number {number}."} for number in range(50)]).id))
    assert looks[-1].status is Status.SUCCEEDED
    assert [look.progress.percent for look in looks] == sorted(look.progress.percent for look in looks)
    assert client.wait(looks[-1].id, timeout_s=60).counts.completed == 50


def test_failed_items_are_listed_and_retried(platform: Platform, client: Client, name: str) -> None:
    platform.provider.script(refuse_containing="POISON")
    documents = [{"external_id": "good", "text": "A fine text."}, {"external_id": "bad", "text": "POISON"}]
    job = client.wait(client.submit(name, documents).id)
    assert job.status is Status.COMPLETED_WITH_ERRORS
    (item,) = client.items(job.id, ItemStatus.FAILED)
    assert item.external_id == "bad"
    assert item.error is not None
    platform.provider.script()
    code = item.error.code
    assert [one.id for one in client.jobs(10, collection=name, code=code, since=job.created_at)] == [job.id]
    (retried,) = client.retry_matching(collection=name, code=code)
    assert [one.id for one in retried.data] == [job.id]
    assert client.wait(job.id).status is Status.SUCCEEDED
    with pytest.raises(Conflict):
        client.retry(job.id)


def test_a_job_is_moved_and_cancelled(platform: Platform, client: Client, name: str) -> None:
    with platform.down(platform.worker):
        job = client.submit(name, [{"text": "Nobody reads this."}])
        assert client.move(job.id, Queue.LOW).queue is Queue.LOW
        assert client.cancel(job.id).status in (Status.CANCELLING, Status.CANCELLED)
    assert client.wait(job.id).status is Status.CANCELLED


def test_collections_are_made_listed_paused_and_deleted(client: Client, name: str) -> None:
    assert not client.ensure_collection(name)
    assert client.collection(name).chunking == {"max_tokens": 40, "overlap_tokens": 0}
    assert client.pause(name).paused_at
    assert client.resume(name).paused_at is None
    assert name in {one.name for one in client.collections()}
    client.delete_collection(name)
    with pytest.raises(NotFound):
        client.search(name, "anything")


def test_errors_name_the_field_and_have_their_class(platform: Platform, client: Client, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        client.search(name, "anything", limit=0)
    assert [fault.pointer for fault in caught.value.faults] == ["/limit"]
    with Client(platform.api.url, "dbrag_nobody") as stranger, pytest.raises(Unauthorized):
        stranger.jobs()


def test_a_jobs_events_are_read_to_their_end_and_from_any_of_them_on(
    platform: Platform, client: Client, name: str
) -> None:
    with platform.down(platform.worker):
        job = client.submit(name, [{"text": f"Number {number}."} for number in range(20)])
        stream = client.events(job.id)
        events = [next(stream)]
    events += stream
    assert events[-1].kind == "end"
    assert events[-1].job is not None
    assert events[-1].job.status is Status.SUCCEEDED
    changes = [event.change.status for event in events if event.change]
    assert (changes[0], changes[-1]) == (Status.QUEUED, Status.SUCCEEDED)
    ids = [event.id for event in events if event.id]
    behind = client.events(job.id, last_event_id=ids[0])
    assert [event.id for event in behind if event.id] == ids[1:]


def test_events_go_on_when_the_api_was_killed_meanwhile(platform: Platform, client: Client, name: str) -> None:
    with platform.down(platform.worker):
        job = client.submit(name, [{"text": "Read after a restart."}])
        stream = client.events(job.id)
        first = next(stream)
        with platform.down(platform.api):
            pass
    rest = list(stream)
    assert rest[-1].kind == "end"
    assert first.id not in {event.id for event in rest}
