"""Searches by words, and by words and meaning together."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.running import Platform

NOTES = {
    "harbour": "The harbour master counts the ships that arrive before noon.",
    "lantern": "A lantern was lit; the keepers were lighting it every evening.",
    "orchard": "Apples of the orchard are picked in autumn, and apples are pressed.",
    "common": "The ship of the museum is shown in the evening.",
}


@pytest.fixture
def make(platform: Platform, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Makes a collection of these documents; its path."""

    def make(texts: dict[str, str], metadata: dict[str, dict[str, Any]] | None = None, **wish: Any) -> str:
        name = f"words-{abs(hash(request.node.name)) % 10**9}-{len(texts)}-{wish.get('language', '')}"
        path = platform.collection(name, **wish)
        documents = [
            {"external_id": key, "text": text, "metadata": (metadata or {}).get(key, {})} for key, text in texts.items()
        ]
        [job] = platform.wait(platform.ingest(path, documents))
        assert job["status"] == "succeeded"
        return path

    return make


def ask(platform: Platform, path: str, query: str, **more: Any) -> list[dict[str, Any]]:
    answer = platform.client.post(f"{path}/search", json={"query": query, "mode": "text"} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def found(platform: Platform, path: str, query: str, **more: Any) -> list[str]:
    return [hit["external_id"] for hit in ask(platform, path, query, **more)]


def test_words_are_found_in_their_forms_the_rarer_ones_first(platform: Platform, make: Callable[..., str]) -> None:
    path = make(NOTES)
    assert found(platform, path, "Who counted the ship?") == ["harbour", "common"]
    assert found(platform, path, "light the lanterns") == ["lantern"]
    assert found(platform, path, "evening apples")[0] == "orchard"
    assert found(platform, path, "the of and is") == []
    assert found(platform, path, "nothing like this: xylophone") == []
    assert found(platform, path, "ship", limit=1) == found(platform, path, "ship")[:1]
    scores = [hit["score"] for hit in ask(platform, path, "ship evening harbour")]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0


@pytest.mark.parametrize(
    "query", ["'", "\\", "it's", "a & b | !c", "<->", ":*", "ship\\'s", "c1", "'; DROP TABLE chunks"]
)
def test_no_question_is_an_error(platform: Platform, make: Callable[..., str], query: str) -> None:
    path = make(NOTES)
    ask(platform, path, query)
    ask(platform, path, query, mode="hybrid")


def test_the_language_is_the_collections(platform: Platform, make: Callable[..., str]) -> None:
    texts = {
        "haus": "Die Häuser am Fluss wurden verkauft.",
        "boot": "Ein Boot fährt.",
        "übung": "ÜBUNG MACHT DEN MEISTER",
    }
    path = make(texts, language="german")
    assert found(platform, path, "verkaufte Haus") == ["haus"]
    assert found(platform, path, "übung") == ["übung"]
    assert platform.client.get(path).json()["language"] == "german"
    refused = platform.client.put(path, json={"language": "english"})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert platform.client.put(path, json={"language": "german"}).status_code == 200
    unknown = platform.client.put("/collections/klingon", json={"language": "klingon"})
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/language")


def test_without_full_text_only_meaning_is_searched(platform: Platform, make: Callable[..., str]) -> None:
    path = make(NOTES, language="none")
    for mode in ("text", "hybrid"):
        answer = platform.client.post(f"{path}/search", json={"query": "ship", "mode": mode})
        assert (answer.status_code, answer.json()["code"]) == (422, "no_full_text")
    assert len(found(platform, path, "ship", mode="vector")) == len(NOTES)
    with platform.database() as conn:
        rows = conn.execute("SELECT FROM chunks WHERE language IS NULL AND words IS NOT NULL")
        assert rows.fetchall() == []


def test_filters_replaced_and_deleted_documents(platform: Platform, make: Callable[..., str]) -> None:
    path = make(NOTES, {"harbour": {"year": 1}, "common": {"year": 2}})
    assert found(platform, path, "ship", filter={"year": 2}) == ["common"]
    [_] = platform.wait(platform.ingest(path, [{"external_id": "harbour", "text": "All boats have left."}]))
    assert found(platform, path, "ship") == ["common"]
    assert found(platform, path, "boat") == ["harbour"]
    platform.client.delete(f"{path}/documents/common").raise_for_status()
    assert found(platform, path, "ship") == []


def test_highlights_are_where_the_words_are(platform: Platform, make: Callable[..., str]) -> None:
    texts = {
        "emoji": "Ein 🚢 ship 🚢🚢, two ships — and “shipping” of شحن. " * 3,
        "arabic": "مرحبا ship بالعالم. 👩‍👩‍👧 ship!",
        "tags": "<b>ship</b> & <i>a ship</i> http://ship.example/ship?a=b ship-shape\n\nship",
        "control": "a ship \x01 with a ship \x02 sign",
    }
    path = make(texts)
    hits = ask(platform, path, "ships")
    assert {hit["external_id"] for hit in hits} == set(texts)
    for hit in hits:
        words = [texts[hit["external_id"]][span["start"] : span["end"]] for span in hit["highlights"]]
        assert all(word.lower().startswith("ship") for word in words), words
        assert words or hit["external_id"] == "control"
        assert all(hit["start"] <= span["start"] < span["end"] <= hit["end"] for span in hit["highlights"])
    assert all(hit["highlights"] == [] for hit in ask(platform, path, "ships", mode="vector"))


def test_both_together_find_what_each_alone_puts_behind(platform: Platform, make: Callable[..., str]) -> None:
    path = make(NOTES | {"question": "Which ship arrives?"})
    # The stand-in's vectors know only equal texts: the question itself is nearest, whatever words it has.
    both = ask(platform, path, "Which ship arrives?", mode="hybrid")
    assert both[0]["external_id"] == "question"
    assert both[0]["score"] == pytest.approx(1)
    assert {"harbour", "common"} <= {hit["external_id"] for hit in both[:4]}
    assert len({hit["chunk_id"] for hit in both}) == len(both) == 5
    assert both[0]["highlights"]


def test_a_vector_has_no_words(platform: Platform, make: Callable[..., str]) -> None:
    path = make(NOTES)
    for mode in ("text", "hybrid"):
        answer = platform.client.post(f"{path}/search", json={"vector": [1.0] * 64, "mode": mode})
        assert answer.status_code == 422


def test_answers_are_kept_by_mode(platform: Platform, make: Callable[..., str]) -> None:
    path = make(NOTES)
    once = {mode: found(platform, path, "ship", mode=mode) for mode in ("vector", "text", "hybrid")}
    assert {mode: found(platform, path, "ship", mode=mode) for mode in once} == once
    assert once["text"] == ["common", "harbour"]
