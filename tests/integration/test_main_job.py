"""The whole way over HTTP: accepted, queued, split, embedded, stored, found."""

import time
from threading import Event, Thread
from typing import Any

import pytest

from tests.running import Platform


def sentences(document: str, count: int = 12) -> str:
    """A text of several chunks, different for each document."""
    return "\n\n".join(
        f"Paragraph {i} of {document} says that its number is {i * 7919 + len(document)}." for i in range(count)
    )


def test_a_batch_goes_in_and_comes_out_of_a_search(platform: Platform) -> None:
    path = platform.collection("whole-way")
    texts = {f"doc-{i}": sentences(f"doc-{i}") for i in range(50)}
    job_id = platform.ingest(
        path, [{"external_id": name, "text": text, "metadata": {"name": name}} for name, text in texts.items()]
    )
    [job] = platform.wait(job_id)
    assert job["status"] == "succeeded"
    assert job["counts"] == {"total": 50, "completed": 50, "failed": 0, "skipped": 0, "cached": 0}
    assert job["usage"]["prompt_tokens"] == platform.provider.stats()["prompt_tokens"]
    assert job["usage"]["cost_usd"] == pytest.approx(job["usage"]["prompt_tokens"] * 0.02 / 1e6)
    assert (job["progress"]["stage"], job["progress"]["percent"]) == ("done", 100)
    document = platform.client.get(f"{path}/documents/doc-7").json()
    assert (document["status"], document["text"]) == ("live", texts["doc-7"])
    all_hits = platform.search(path, "anything", limit=1000)
    assert len(all_hits) > 100
    for hit in all_hits:
        assert hit["text"] == texts[hit["external_id"]][hit["start"] : hit["end"]]
        assert hit["metadata"] == {"name": hit["external_id"]}
    best = platform.search(path, all_hits[5]["text"], limit=1)
    assert best[0]["chunk_id"] == all_hits[5]["chunk_id"]
    assert best[0]["score"] == pytest.approx(1, abs=1e-3)
    assert [hit["score"] for hit in all_hits] == sorted((hit["score"] for hit in all_hits), reverse=True)


def test_texts_are_packed_across_documents_and_jobs_and_paid_once(platform: Platform) -> None:
    path = platform.collection("packed")
    platform.provider.script(always={"delay_s": 0.2})
    same = {"text": sentences("the same for all")}
    jobs = [platform.ingest(path, [{"external_id": f"{j}-{i}", **same} for i in range(20)]) for j in range(3)]
    finished = platform.wait(*jobs)
    stats = platform.provider.stats()
    assert max(stats["answered"].values()) == 1
    assert sum(job["usage"]["prompt_tokens"] for job in finished) == stats["prompt_tokens"]
    assert sum(job["usage"]["texts_from_cache"] for job in finished) > 0


def test_of_a_document_sent_again_only_changed_chunks_are_embedded(platform: Platform) -> None:
    path = platform.collection("again")
    text = sentences("the original")
    platform.wait(platform.ingest(path, [{"external_id": "d", "text": text}]))
    before = {hit["text"]: hit["chunk_id"] for hit in platform.search(path, "x", limit=100)}
    platform.provider.forget()
    changed = text.replace("Paragraph 11 of the original", "Paragraph 11 of the changed one")
    [job] = platform.wait(platform.ingest(path, [{"external_id": "d", "text": changed}]))
    after = {hit["text"]: hit["chunk_id"] for hit in platform.search(path, "x", limit=100)}
    assert sum(platform.provider.stats()["inputs"]) == 1
    assert job["counts"]["completed"] == 1
    assert len(after) == len(before)
    assert after.items() - before.items() == {(t, i) for t, i in after.items() if "changed" in t}
    platform.provider.forget()
    [job] = platform.wait(platform.ingest(path, [{"external_id": "d", "text": changed}]))
    assert platform.provider.stats()["requests"] == 0
    assert job["counts"] | {"total": 1, "completed": 1, "cached": 1} == job["counts"]


def test_a_document_is_replaced_under_searches_that_see_one_version_or_the_other(platform: Platform) -> None:
    path = platform.collection("replaced")
    versions = [sentences(f"version {n}", 20 + n) for n in range(6)]
    platform.wait(platform.ingest(path, [{"external_id": "d", "text": versions[0]}]))
    seen: list[set[tuple[int, str]]] = []
    stop = Event()

    def search() -> None:
        while not stop.is_set():
            seen.append({(hit["start"], hit["text"]) for hit in platform.search(path, "x", limit=1000)})

    searching = Thread(target=search)
    searching.start()
    for text in versions[1:]:
        platform.wait(platform.ingest(path, [{"external_id": "d", "text": text}]))
    stop.set()
    searching.join()
    assert len(seen) > 5
    for hits in seen:
        text = next(text for text in versions if all(text[start:].startswith(part) for start, part in hits))
        assert sum(len(part) for _, part in hits) >= len("".join(text.split("\n\n")))


def test_a_version_that_was_overtaken_is_skipped(platform: Platform) -> None:
    path = platform.collection("overtaken")
    platform.provider.script(next=[{"delay_s": 2}])
    first = platform.ingest(path, [{"external_id": "d", "text": sentences("slow")}])
    platform.wait(first, until=lambda job: job["progress"]["stage"] == "embedding")
    second = platform.ingest(path, [{"external_id": "d", "text": sentences("fast")}])
    old, new = platform.wait(first, second)
    assert (new["status"], new["counts"]["completed"]) == ("succeeded", 1)
    assert (old["status"], old["counts"]["skipped"], old["result"]["superseded"]) == ("succeeded", 1, True)
    assert platform.client.get(f"{path}/documents/d").json()["text"] == sentences("fast")


def test_a_refused_text_fails_alone_and_is_retried_alone(platform: Platform) -> None:
    path = platform.collection("refused")
    platform.provider.script(refuse_containing="POISON")
    texts = [sentences(f"good {i}") for i in range(10)]
    texts[3] += "\n\nThis paragraph is POISON to the provider."
    job_id = platform.ingest(path, [{"external_id": str(i), "text": text} for i, text in enumerate(texts)])
    [job] = platform.wait(job_id)
    assert job["status"] == "completed_with_errors"
    failed = platform.client.get(f"/jobs/{job_id}/items", params={"status": "failed"}).json()["data"]
    assert [(item["external_id"], item["error"]["code"]) for item in failed] == [("3", "request_refused")]
    platform.provider.script()
    platform.provider.forget()
    assert platform.client.post(f"/jobs/{job_id}:retry").status_code == 202
    [job] = platform.wait(job_id)
    assert (job["status"], job["counts"]["completed"]) == ("succeeded", 10)
    assert sum(platform.provider.stats()["inputs"]) == 1


def test_dead_letters_are_retried_by_filter_and_only_what_failed_is_paid(platform: Platform) -> None:
    path = platform.collection("dead-letters")
    platform.provider.script(refuse_containing="POISON")
    texts = [sentences("fine"), sentences("bad", 1) + " POISON"]
    jobs = [
        platform.ingest(path, [{"external_id": f"{i}-{j}", "text": f"{i}. {text}"} for j, text in enumerate(texts)])
        for i in range(3)
    ]
    platform.wait(*jobs)
    filters = {"status": "completed_with_errors", "code": "request_refused", "collection": "dead-letters"}
    listed = platform.client.get("/jobs", params=filters).json()["data"]
    assert [job["id"] for job in listed] == jobs[::-1]
    platform.check()  # also: requests that were out when the job ended are over
    while platform.provider.stats()["in_flight"]:
        time.sleep(0.02)
    platform.provider.script()
    platform.provider.forget()
    answer = platform.client.post("/jobs:retry", json=filters)
    assert (answer.status_code, [job["id"] for job in answer.json()["data"]]) == (202, jobs)
    assert {(job["status"], job["counts"]["completed"]) for job in platform.wait(*jobs)} == {("succeeded", 2)}
    answered = platform.provider.stats()["answered"]
    assert sorted(answered.values()) == [1, 1, 1]
    assert platform.client.post("/jobs:retry", json=filters).json()["retried"] == 0


def test_a_cancelled_job_stops_paying_and_leaves_nothing(platform: Platform) -> None:
    path = platform.collection("cancelled")
    platform.provider.script(always={"status": 429, "retry_after": 1})
    job_id = platform.ingest(path, [{"external_id": "d", "text": sentences("unwanted")}])
    [job] = platform.wait(job_id, until=lambda job: job["status"] == "held")
    assert job["status_reason"]["code"] == "rate_limited"
    answer = platform.client.post(f"/jobs/{job_id}:cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "cancelling")
    [job] = platform.wait(job_id)
    assert job["status"] == "cancelled"
    platform.provider.script()
    assert platform.client.get(f"{path}/documents/d").status_code == 404
    assert platform.client.post(f"/jobs/{job_id}:cancel").status_code == 409
    assert platform.search(path, "x") == []


def test_waiting_for_a_rate_limit_uses_up_no_attempt(platform: Platform) -> None:
    path = platform.collection("limited")
    platform.provider.script(next=[{"status": 429, "retry_after": 0.3}] * 8)
    [job] = platform.wait(platform.ingest(path, [{"external_id": "d", "text": sentences("patient")}]))
    assert (job["status"], job["attempt"]) == ("succeeded", 1)


def test_ready_made_texts_are_embedded_whole(platform: Platform) -> None:
    path = platform.collection("texts")
    texts: list[dict[str, Any]] = [{"external_id": str(i), "text": sentences(str(i))} for i in range(5)]
    texts.append({"external_id": "long", "text": "word " * 9000})
    answer = platform.client.post(f"{path}/embeddings", json=texts)
    assert answer.json()["kind"] == "batch_embed"
    [job] = platform.wait(answer.json()["id"])
    assert (job["status"], job["counts"]["failed"]) == ("completed_with_errors", 1)
    hits = platform.search(path, texts[2]["text"], limit=1000)
    assert len(hits) == 5
    assert (hits[0]["external_id"], hits[0]["text"]) == ("2", texts[2]["text"])
    assert hits[0]["score"] == pytest.approx(1, abs=1e-3)


def test_searches_find_the_same_before_during_and_after_the_index_is_built(platform: Platform) -> None:
    path = platform.collection("indexed")
    platform.wait(platform.ingest(path, [{"external_id": str(i), "text": sentences(str(i), 40)} for i in range(60)]))
    before = platform.search(path, "x", limit=20)
    answer = platform.client.post(f"{path}/index:rebuild")
    assert answer.status_code == 202
    while platform.client.get(f"/jobs/{answer.json()['id']}").json()["status"] != "succeeded":
        assert platform.search(path, "x", limit=20) == before
    index = platform.client.get(f"{path}/index").json()
    assert {segment["status"] for segment in index["segments"]} <= {"indexed", "fresh"}
    assert "indexed" in {segment["status"] for segment in index["segments"]}
    after = platform.search(path, before[0]["text"], limit=10)
    assert after[0] == before[0] | {"score": after[0]["score"]}
    platform.client.delete(f"{path}/documents/{after[0]['external_id']}").raise_for_status()
    assert after[0]["external_id"] not in {hit["external_id"] for hit in platform.search(path, after[0]["text"])}


@pytest.mark.parametrize("keeps", [2, 20, 0])
def test_a_filter_gives_as_many_hits_as_match(platform: Platform, keeps: int) -> None:
    path = platform.collection(f"filtered-{keeps}")
    documents = [
        {"external_id": str(i), "text": f"Text number {i}.", "metadata": {"kept": i < keeps}} for i in range(1200)
    ]
    platform.wait(platform.ingest(path, documents))
    rebuilt = platform.client.post(f"{path}/index:rebuild").json()
    platform.wait(rebuilt["id"])
    hits = platform.search(path, "x", limit=10, filter={"kept": True})
    assert len(hits) == min(10, keeps)
    assert all(hit["metadata"] == {"kept": True} for hit in hits)


def test_a_deleted_collection_is_gone_and_its_jobs_end(platform: Platform) -> None:
    path = platform.collection("deleted")
    platform.provider.script(always={"status": 429, "retry_after": 1})
    job_id = platform.ingest(path, [{"external_id": "d", "text": sentences("gone")}])
    platform.wait(job_id, until=lambda job: job["status"] == "held")
    platform.client.delete(path).raise_for_status()
    assert platform.client.get(path).status_code == 404
    assert platform.wait(job_id)[0]["status"] == "cancelled"
    assert platform.collection("deleted") == path


def test_another_tenant_sees_nothing(platform: Platform) -> None:
    path = platform.collection("mine")
    job_id = platform.ingest(path, [{"external_id": "d", "text": "Mine."}])
    platform.wait(job_id)
    other = platform.client_for("somebody else")
    for url in (path, f"{path}/documents/d", f"{path}/index", f"/jobs/{job_id}", f"/jobs/{job_id}/items"):
        assert other.get(url).status_code == 404, url
    assert other.post(f"{path}/search", json={"query": "mine"}).status_code == 404
    assert other.post(f"/jobs/{job_id}:cancel").status_code == 404
    assert other.get("/jobs").json()["data"] == []
    assert other.get("/collections").json()["data"] == []
    stranger = platform.client.get(path, headers={"Authorization": "Bearer dbrag_00000000_" + 43 * "x"})
    assert stranger.status_code == 401


@pytest.mark.parametrize("broken", ["nan", "zero"])
def test_a_text_whose_vector_is_unusable_fails_alone(platform: Platform, broken: str) -> None:
    path = platform.collection(f"unusable-{broken}")
    platform.provider.script(next=[{"broken": broken}])
    documents = [{"external_id": str(i), "text": f"Short text {i} with a {broken} vector, perhaps."} for i in range(4)]
    [job] = platform.wait(platform.ingest(path, documents))
    failed = platform.client.get(f"/jobs/{job['id']}/items", params={"status": "failed"}).json()["data"]
    assert job["status"] == "completed_with_errors"
    assert [item["error"]["code"] for item in failed] == ["bad_vector"] * len(failed)
    assert len(failed) < 4
