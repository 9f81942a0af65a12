"""The whole platform while a collection changes its model: searches answer, writers write, nobody waits."""

import time
from threading import Event, Thread
from typing import Any

from tests.provider.vectors import vector_of
from tests.running import Platform


def texts(kind: str, count: int) -> list[dict[str, Any]]:
    return [{"external_id": f"{kind}-{n}", "text": f"The {kind} number {n} is {n * 7919}."} for n in range(count)]


class Searcher(Thread):
    """Asks for documents that were there before, over and over, as text: each answer must be that document."""

    def __init__(self, platform: Platform, path: str, documents: list[dict[str, Any]]) -> None:
        super().__init__(name="searcher")
        self.platform, self.path, self.documents = platform, path, documents
        self.over = Event()
        self.wrong: list[object] = []
        self.answers = 0

    def run(self) -> None:
        while not self.over.is_set():
            for document in self.documents:
                request = {"query": document["text"], "limit": 3}
                answer = self.platform.client.post(f"{self.path}/search", json=request)
                hits = answer.json().get("data", [])
                self.answers += 1
                best = hits[0] if hits else {"external_id": answer.text, "score": 0}
                if best["external_id"] != document["external_id"] or best["score"] < 0.99 or len(hits) != 3:
                    self.wrong.append((document["external_id"], answer.text))


def test_searches_and_writes_go_on_while_the_model_changes(platform: Platform) -> None:
    path = platform.collection("changing")
    before = texts("early", 300)
    platform.wait(platform.ingest(path, before))
    searcher = Searcher(platform, path, before[::30])
    searcher.start()
    try:
        answer = platform.client.put(path, json={"model": "text-embedding-3-large", "dimensions": 96})
        assert answer.status_code == 200
        job_id = answer.json()["building"]["job_id"]
        assert answer.headers["Location"] == f"/v1/jobs/{job_id}"
        writing = [platform.ingest(path, texts(f"late{n}", 20)) for n in range(5)]
        for job in platform.wait(*writing):
            assert job["status"] == "succeeded"
        (changed,) = platform.wait(job_id)
        seen = searcher.answers
        deadline = time.monotonic() + 30
        while searcher.answers < seen + 20 and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        searcher.over.set()
        searcher.join()
    assert changed["status"] == "succeeded", changed
    assert searcher.wrong == []
    now = platform.client.get(path).json()
    assert (now["model"], now["dimensions"], now["building"]) == ("text-embedding-3-large", 96, None)
    for document in [before[7], texts("late3", 20)[11]]:
        vector = vector_of(document["text"], 96).tolist()
        hits = platform.client.post(f"{path}/search", json={"vector": vector, "limit": 1}).json()["data"]
        assert hits[0]["external_id"] == document["external_id"]
    back = platform.client.post(f"{path}/index:rollback")
    assert back.status_code == 202, back.text
    (job,) = platform.wait(back.json()["id"])
    assert job["status"] == "succeeded"
    assert platform.client.get(path).json()["dimensions"] == 64


def test_what_a_change_costs_over_http(platform: Platform) -> None:
    path = platform.collection("estimated")
    platform.wait(platform.ingest(path, texts("priced", 10)))
    answer = platform.client.put(f"{path}?dry_run=true", json={"model": "text-embedding-3-large", "dimensions": 64})
    assert answer.status_code == 200
    cost = answer.json()
    assert (cost["rows"], cost["texts"], cost["exact"]) == (10, 10, True)
    assert cost["tokens"] > 0
    assert cost["cost_usd"] > 0
    unchanged = platform.client.put(f"{path}?dry_run=true", json={}).json()
    assert (unchanged["texts"], unchanged["cost_usd"]) == (0, 0)
    refused = platform.client.put(path, json={"m": 101})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/m")
