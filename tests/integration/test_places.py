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


def test_offsets_are_true_for_scripts_from_right_to_left_and_for_emoji(platform: Platform) -> None:
    path = platform.collection("scripts", **SMALL)
    text = "".join(f"مرحبا بالعالم {n} שלום עולם 👩‍👩‍👧‍👦 e\u0301 {n}. " for n in range(60))
    [job] = platform.wait(platform.ingest(path, [{"external_id": "a", "text": text}]))
    assert job["status"] == "succeeded"
    hits = platform.search(path, "x", limit=1000)
    assert len(hits) > 10
    assert [found for found in hits if found["text"] != text[found["start"] : found["end"]]] == []


def test_files_that_cannot_be_read_fail_with_their_reasons_and_the_others_are_found(platform: Platform) -> None:
    path = platform.collection("careless", chunking={"max_tokens": 400, "overlap_tokens": 0})
    sent = {
        "good.pdf": pdf([A]),
        "scan.pdf": pdf(["", ""]),
        "not.pdf": b"just text",
        "latin.txt": b"caf\xe9 in latin-1",
        "blank.txt": b" \n ",
        "photo.docx": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        "word.txt": b"a" * 1_000_000,
    }
    answer = platform.client.post(f"{path}/documents:batch", files=[("file", (n, c)) for n, c in sent.items()])
    [job] = platform.wait(answer.json()["id"])
    assert job["status"] == "completed_with_errors"
    found = platform.client.get(f"/jobs/{job['id']}/items", params={"status": "failed"})
    items = found.raise_for_status().json()["data"]
    assert {item["external_id"]: item["error"]["code"] for item in items} == {
        "scan.pdf": "no_text",
        "not.pdf": "unreadable_file",
        "latin.txt": "unreadable_file",
        "blank.txt": "no_text",
        "photo.docx": "unsupported_type",
    }
    assert all(item["error"]["detail"] for item in items)
    assert {found["external_id"] for found in platform.search(path, "x", limit=1000)} == {"good.pdf", "word.txt"}
