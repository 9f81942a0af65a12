"""A dry run: what sending something would cost, which is what it then costs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from api_client import Call, body

from api.app import Api
from dbrag.documents import estimate
from dbrag.documents.model import Collection, Refusal, Submission
from dbrag.jobs.model import Kind
from dbrag.settings import Settings
from tests.running import Platform

pytest_plugins = ["api_fixtures"]
SAMPLES = Path(__file__).parents[2] / "samples"
PROSE = "\n\n".join(f"Paragraph {number} tells of things that nobody has ever told before it." for number in range(60))


@pytest.fixture
def platform(platform: Platform) -> Platform:
    """With a provider that bills as OpenAI does."""
    platform.provider.script(bills_tokens=True)
    return platform


def priced(
    platform: Platform, path: str, batch: list[dict[str, Any]], address: str = "documents:batch"
) -> dict[str, Any]:
    answer = platform.client.post(f"{path}/{address}", params={"dry_run": "true"}, json=batch)
    assert answer.status_code == 200, answer.text
    return answer.json()


def spent(platform: Platform, path: str, job_id: str) -> tuple[int, float]:
    [job] = platform.wait(job_id)
    return job["usage"]["prompt_tokens"], job["usage"]["cost_usd"]


def test_a_batch_costs_what_was_said_and_nothing_the_second_time(platform: Platform) -> None:
    path = platform.collection("dry-batch")
    batch = [
        {"external_id": "long", "text": PROSE},
        {"external_id": "short", "text": "One more."},
        {"text": PROSE[:700]},
    ]
    said = priced(platform, path, batch)
    assert (said["documents"], said["refused"], said["exact"]) == (3, [], True)
    assert said["chunks"] == said["texts"] + said["texts_from_cache"] > 20
    assert platform.provider.stats()["requests"] == 0, "it was only a question"
    assert platform.client.get("/jobs", params={"collection": "dry-batch"}).json()["data"] == []
    assert spent(platform, path, platform.ingest(path, batch)) == (said["tokens"], pytest.approx(said["cost_usd"]))
    again = priced(platform, path, batch)
    assert (again["texts"], again["tokens"], again["cost_usd"]) == (0, 0, 0)
    assert again["texts_from_cache"] == again["chunks"] == said["chunks"]
    assert spent(platform, path, platform.ingest(path, batch)) == (0, 0)


def test_what_changes_costs_only_its_new_chunks(platform: Platform) -> None:
    path = platform.collection("dry-change")
    platform.wait(platform.ingest(path, [{"external_id": "a", "text": PROSE}]))
    batch = [{"external_id": "a", "text": f"{PROSE}\n\nAnd a last paragraph, which is new."}]
    said = priced(platform, path, batch)
    assert 0 < said["texts"] < said["chunks"] / 2
    assert spent(platform, path, platform.ingest(path, batch)) == (said["tokens"], pytest.approx(said["cost_usd"]))


def test_what_the_cache_holds_costs_nothing_in_another_collection(platform: Platform) -> None:
    batch = [{"external_id": "a", "text": PROSE.replace("nobody", "hardly anybody")}]
    platform.wait(platform.ingest(platform.collection("dry-first"), batch))
    path = platform.collection("dry-other")
    assert priced(platform, path, batch)["tokens"] == 0
    assert spent(platform, path, platform.ingest(path, batch)) == (0, 0)


def test_ready_made_texts_are_priced_too_and_what_is_too_long_is_refused(platform: Platform) -> None:
    path = platform.collection("dry-embeddings")
    batch = [
        {"external_id": "a", "text": "Ready-made."},
        {"external_id": "b", "text": "word " * 9000},
        {"text": "Also."},
    ]
    said = priced(platform, path, batch, "embeddings")
    assert [(one["index"], one["external_id"], one["code"]) for one in said["refused"]] == [(1, "b", "text_too_long")]
    assert (said["documents"], said["chunks"], said["texts"]) == (2, 2, 2)
    job_id = platform.client.post(f"{path}/embeddings", json=batch).json()["id"]
    assert spent(platform, path, job_id) == (said["tokens"], pytest.approx(said["cost_usd"]))


def test_files_are_read_and_those_that_would_fail_say_why(platform: Platform) -> None:
    path = platform.collection("dry-files", chunking={"max_tokens": 256, "overlap_tokens": 0})
    names = ["us-constitution.docx", "elements.txt", "broken-truncated.pdf"]
    files = [("file", (name, (SAMPLES / name).read_bytes())) for name in names]
    answer = platform.client.post(f"{path}/documents:batch", params={"dry_run": "true"}, files=files)
    said = answer.raise_for_status().json()
    assert [(one["index"], one["code"]) for one in said["refused"]] == [(2, "unreadable_file")]
    assert (said["documents"], said["exact"]) == (2, True)
    job_id = platform.client.post(f"{path}/documents:batch", files=files).json()["id"]
    assert spent(platform, path, job_id) == (said["tokens"], pytest.approx(said["cost_usd"]))


def test_a_single_document_is_priced_and_refused_items_of_a_batch_are_named(call: Call, collection: str) -> None:
    answer = call("POST", f"{collection}/documents?dry_run=true", json={"text": "A text of some words."})
    assert (answer.status_code, body(answer)["documents"], body(answer)["texts"]) == (200, 1, 1)
    batch = [{"text": "fine"}, {"external_id": "b", "txt": "unknown"}, {"external_id": "c", "text": " \n "}]
    said = body(call("POST", f"{collection}/documents:batch?dry_run=true", json=batch))
    assert said["documents"] == 1
    assert {one["index"]: one["external_id"] for one in said["refused"]} == {1: "b", 2: "c"}
    assert body(call("GET", f"/v1/jobs?collection={collection.rpartition('/')[2]}"))["data"] == []


@pytest.mark.parametrize(("on_conflict", "documents", "skipped", "refused"), [
    ("replace", 2, 0, []), ("skip", 1, 1, []), ("error", 1, 0, [(0, "a", "exists")]),
])  # fmt: skip
def test_documents_that_exist_are_treated_as_on_conflict_says(
    call: Call, collection: str, on_conflict: str, documents: int, skipped: int, refused: list[tuple[int, str, str]]
) -> None:
    call("POST", f"{collection}/documents", json={"external_id": "a", "text": "It stands."})
    batch = [{"external_id": "a", "text": "It stands no more."}, {"external_id": "b", "text": "It is new."}]
    said = body(call("POST", f"{collection}/documents:batch?dry_run=true&on_conflict={on_conflict}", json=batch))
    assert (said["documents"], said["skipped"], said["texts"]) == (documents, skipped, documents)
    assert [(one["index"], one["external_id"], one["code"]) for one in said["refused"]] == refused


def test_a_dry_run_is_checked_as_the_real_one(call: Call, app: Api, collection: str) -> None:
    path = f"{collection}/documents:batch?dry_run=true"
    assert call("POST", path, json=[]).status_code == 422
    assert call("POST", path, json=[{"external_id": "a", "text": "t"}] * 2).status_code == 422
    assert call("POST", f"{collection}/documents:batch?dry_run=perhaps", json=[{"text": "t"}]).status_code == 422
    assert call("POST", "/v1/collections/none/documents:batch?dry_run=true", json=[{"text": "t"}]).status_code == 404


def test_who_asks_while_another_dry_run_is_at_work_is_told_to_come_again(call: Call, app: Api, collection: str) -> None:
    slots = app.extensions["dbrag"].dry_runs
    with slots:
        answer = call("POST", f"{collection}/documents?dry_run=true", json={"text": "t"})
    assert (answer.status_code, body(answer)["code"], body(answer)["retryable"]) == (503, "busy", True)
    assert int(answer.headers["Retry-After"]) > 0
    assert call("POST", f"{collection}/documents?dry_run=true", json={"text": "t"}).status_code == 200


@pytest.fixture
def measure(own_collection: Collection, settings: Settings) -> Callable[..., estimate.Measured]:
    def measured(*items: Submission | Refusal, kind: Kind = Kind.INGEST_DOCUMENT) -> estimate.Measured:
        return estimate.measure(own_collection, kind, items, {}, settings)

    return measured


def test_what_there_was_no_time_for_is_taken_to_be_like_the_rest(
    conn: Any, own_collection: Collection, settings: Settings, measure: Callable[..., estimate.Measured]
) -> None:
    measured = measure(Submission("a", text=PROSE))
    whole = estimate.price(conn, None, own_collection, measured, settings)
    measured.unread_bytes, measured.accepted = 2 * measured.read_bytes, 3
    guessed = estimate.price(conn, None, own_collection, measured, settings)
    assert (guessed.documents, guessed.exact) == (3, False)
    assert guessed.chunks == 3 * whole.chunks
    assert (guessed.texts, guessed.tokens) == (3 * whole.texts, 3 * whole.tokens)
    assert guessed.cost_usd == pytest.approx(3 * whole.cost_usd)


def test_what_takes_too_long_is_left_and_not_refused(
    measure: Callable[..., estimate.Measured], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Submission("a", content=(SAMPLES / "us-constitution.docx").read_bytes(), filename="a.docx")
    monkeypatch.setattr(estimate, "ITEM_S", 0.0)
    measured = measure(slow, Submission("b", text="Quick."))
    assert (measured.accepted, measured.refused, measured.chunks) == (2, [], 1)
    assert (measured.read_bytes, measured.unread_bytes) == (6, slow.size)
    monkeypatch.setattr(estimate, "BEGIN_S", -1.0)
    measured = measure(slow, Submission("b", text="Quick."), Refusal("c", "invalid", "no"))
    assert (measured.accepted, len(measured.refused), measured.read_bytes) == (2, 1, 0)


def test_where_nothing_could_be_read_the_size_is_taken_for_tokens(
    conn: Any, own_collection: Collection, settings: Settings
) -> None:
    guessed = estimate.price(conn, None, own_collection, estimate.Measured(accepted=1, unread_bytes=4000), settings)
    assert (guessed.tokens, guessed.chunks, guessed.exact) == (1000, 50, False)
