"""Extraction: what comes out of files of every format, good and broken."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from extract_files import docx, empty_pdf

from dbrag.documents import extractor as extractor_process
from dbrag.documents.extract import Extracted, Extractor
from dbrag.documents.filetype import DOCX, HTML, MARKDOWN, PDF, TEXT
from dbrag.errors import Permanent, UnsupportedType

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    extractor = Extractor(timeout_s=60)
    yield extractor
    extractor.close()


def sample(extractor: Extractor, name: str) -> Extracted:
    return extractor.extract((SAMPLES / name).read_bytes(), None, name)


def code_of(extractor: Extractor, content: bytes, filename: str) -> tuple[str, str]:
    with pytest.raises(Permanent) as caught:
        extractor.extract(content, None, filename)
    return caught.value.code, caught.value.detail


@pytest.mark.parametrize(
    ("name", "media_type", "title", "pages", "passage"),
    [
        ("filesystem-hierarchy.pdf", PDF, None, 50, "/var/cache/man"),
        ("us-constitution.docx", DOCX, "The Constitution of the United States of America", 0, "Impeachment"),
        ("debian-choosing.html", HTML, "Chapter 3. Choosing a Debian distribution", 0, "install stable"),
        ("black-code-style.md", MARKDOWN, None, 0, "trailing commas"),
        ("elements.txt", TEXT, None, 0, "Lise Meitner"),
    ],
)
def test_every_format_gives_its_text(
    extractor: Extractor, name: str, media_type: str, title: str | None, pages: int, passage: str
) -> None:
    extracted = sample(extractor, name)
    assert passage in extracted.text
    assert (extracted.media_type, len(extracted.pages)) == (media_type, pages)
    assert (extracted.title or "").replace("\xa0", " ") == (title or "")
    assert "\r\n" not in extracted.text


@pytest.mark.parametrize("name", ["us-constitution.docx", "debian-choosing.html", "black-code-style.md"])
def test_headings_come_out_as_markdown(extractor: Extractor, name: str) -> None:
    extracted = sample(extractor, name)
    assert extracted.markdown
    assert "\n## " in extracted.text


def test_text_and_markdown_are_kept_as_they_are(extractor: Extractor) -> None:
    extracted = extractor.extract(b"# One\r\n\r\n  two  \n", None, "a.md")
    assert extracted == Extracted("# One\r\n\r\n  two  \n", None, MARKDOWN, True, [])


def test_a_page_comes_without_its_head_its_scripts_and_its_embedded_pictures(extractor: Extractor) -> None:
    page = b"""<html><head><meta charset="iso-8859-1"><meta name="author" content="x"><title>Caf\xe9 &amp; Co</title>
    <script>evil()</script></head><body><h1>Caf\xe9</h1><p>Open.<img src="data:image/png;base64,AAAA" alt="sign"></p>"""
    extracted = extractor.extract(page, "text/html", None)
    assert extracted.title == "Café & Co"
    assert extracted.text.split() == ["#", "Café", "Open.sign"]


@pytest.mark.parametrize(
    ("name", "says"),
    [("broken-truncated.pdf", "damaged or cut short"), ("broken-not-a-docx.docx", "its content is not")],
)
def test_the_broken_samples_fail_and_say_why(extractor: Extractor, name: str, says: str) -> None:
    code, detail = code_of(extractor, (SAMPLES / name).read_bytes(), name)
    assert code == "unreadable_file"
    assert says in detail


def test_a_truncated_docx_is_unreadable(extractor: Extractor) -> None:
    content = (SAMPLES / "us-constitution.docx").read_bytes()
    code, detail = code_of(extractor, content[: len(content) // 2], "a.docx")
    assert code == "unreadable_file"
    assert "DOCX is damaged or cut short" in detail


def test_an_encrypted_pdf_is_unreadable_and_says_so(extractor: Extractor) -> None:
    content = Path(__file__).with_name("test_extract_encrypted.pdf").read_bytes()
    code, detail = code_of(extractor, content, "a.pdf")
    assert code == "unreadable_file"
    assert "encrypted" in detail


def test_a_pdf_without_a_text_layer_has_no_text(extractor: Extractor) -> None:
    code, detail = code_of(extractor, empty_pdf(), "scan.pdf")
    assert code == "no_text"
    assert "OCR is not part of this release" in detail


@pytest.mark.parametrize(
    ("content", "filename"),
    [(b" \n\t ", "a.txt"), (b"<html><body><!-- nothing -->", "a.html"), (docx([]), "a.docx"), (b"", "a.md")],
    ids=["text", "HTML", "DOCX", "no bytes"],
)
def test_a_blank_file_has_no_text(extractor: Extractor, content: bytes, filename: str) -> None:
    assert code_of(extractor, content, filename)[0] == "no_text"


def test_nul_characters_are_left_out(extractor: Extractor) -> None:
    assert extractor.extract("a\0b".encode("utf-16"), "text/plain", None).text == "ab"
    assert "\0" not in extractor.extract(b"<p>a\0b</p>", "text/html", None).text


def test_an_archive_that_unpacks_to_a_giant_is_refused_unread(extractor: Extractor) -> None:
    assert code_of(extractor, docx(["x" * 101 * 2**20]), "bomb.docx")[0] == "text_too_large"


def test_a_text_over_the_limit_is_refused(extractor: Extractor) -> None:
    line = "many words " * 1000
    content = docx([line] * (extractor_process.MAX_TEXT_BYTES // len(line) + 1))
    assert code_of(extractor, content, "long.docx")[0] == "text_too_large"


def test_another_type_is_refused_with_the_names_of_those_that_can_be_read(extractor: Extractor) -> None:
    with pytest.raises(UnsupportedType, match="Readable are plain text, Markdown, HTML, PDF"):
        extractor.extract(b"\x89PNG\r\n\x1a\n\0\0", "image/png", "a.png")
