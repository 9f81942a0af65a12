"""Where a chunk stands in its document: found with it, and true after the document has changed around it."""

import json
from typing import Any

from office_files import pdf, pptx

from tests.running import Platform

A = "Alpha is the first letter, and this paragraph is all about it."
B = "Beta comes second, which is what this other paragraph says."
SMALL = {"chunking": {"max_tokens": 20, "overlap_tokens": 0}}


def send_file(platform: Platform, path: str, name: str, content: bytes, **fields: str) -> None:
    answer = platform.client.post(f"{path}/documents", files={"file": (name, content)}, data=fields)
    assert answer.status_code == 202
    [job] = platform.wait(answer.json()["id"])
    assert job["status"] == "succeeded"


def hit(platform: Platform, path: str, text: str, **question: Any) -> dict[str, Any]:
    """The chunk that holds `text`, as a search finds it."""
    answer = platform.client.post(f"{path}/search", json={"query": text, "limit": 100, **question})
    [found] = [found for found in answer.raise_for_status().json()["data"] if text in found["text"]]
    return found


def test_a_chunk_of_a_pdf_has_its_page_and_one_of_a_pptx_its_slide(platform: Platform) -> None:
    path = platform.collection("pages", **SMALL)
    send_file(platform, path, "a.pdf", pdf([A, B]), metadata=json.dumps({"area": "letters"}))
    send_file(platform, path, "a.pptx", pptx([("Gamma", "The third one." * 4), ("Delta", "The fourth one.")]))
    for mode in ("vector", "text", "hybrid"):
        found = hit(platform, path, B, mode=mode)
        assert (found["page"], found["headings"]) == (2, [])
        assert found["metadata"] == {"area": "letters", "page": 2}
    found = hit(platform, path, "The fourth one.")
    assert (found["page"], found["headings"]) == (2, ["Delta"])


def test_a_chunk_of_markdown_has_the_headings_above_it_and_the_documents_own_keys_stay(platform: Platform) -> None:
    path = platform.collection("headings", **SMALL)
    text = f"# Letters\n\n## First\n\n{A}\n\n## Second\n\n{B}"
    own = {"page": "mine", "area": "x"}
    platform.wait(platform.ingest(path, [{"external_id": "a.md", "text": text, "metadata": own}]))
    for mode in ("vector", "text"):
        found = hit(platform, path, B, mode=mode)
        assert (found["page"], found["headings"]) == (None, ["Letters", "Second"])
        assert found["metadata"] == own | {"headings": ["Letters", "Second"]}
        assert text[found["start"] : found["end"]] == found["text"]
    assert hit(platform, path, B, filter={"area": "x"})["headings"] == ["Letters", "Second"]
    platform.wait(platform.ingest(path, [{"external_id": "a.txt", "text": "# Not Markdown, says its name"}]))
    assert hit(platform, path, "# Not Markdown")["headings"] == []


def test_an_unchanged_chunk_keeps_its_vector_and_gets_its_new_place(platform: Platform) -> None:
    path = platform.collection("moved", **SMALL)
    first = f"# Old\n\n{A}\n\n## Second\n\n{B}"
    platform.wait(platform.ingest(path, [{"external_id": "a.md", "text": first}]))
    before = hit(platform, path, B)
    platform.provider.forget()
    second = first.replace("# Old\n", "# Quite another heading\n")
    platform.wait(platform.ingest(path, [{"external_id": "a.md", "text": second}]))
    after = hit(platform, path, B)
    assert after["chunk_id"] == before["chunk_id"]
    assert (before["headings"], after["headings"]) == (["Old", "Second"], ["Quite another heading", "Second"])
    assert after["start"] == second.index("## Second")
