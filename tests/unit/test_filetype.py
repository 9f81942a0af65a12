"""Telling what a file is."""

import pytest

from dbrag.documents.filetype import DOCX, EML, EPUB, HTML, MARKDOWN, PDF, PPTX, RTF, TEXT, XLSX, detect
from dbrag.errors import Invalid, UnsupportedType

ZIP = b"PK\x03\x04" + b"\0" * 26
DIRECTORY = b"PK\x01\x02" + b"\0" * 42
MAIL = b"From: a@example.com\r\nSubject: Hi\r\n there\r\nX-Other: 1\r\n\r\nBody"
OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100


@pytest.mark.parametrize(
    ("content", "media_type", "filename", "found"),
    [
        (b"%PDF-1.7\n", None, None, PDF),
        (b"junk before\n%PDF-1.4\n", "text/plain", "notes.txt", PDF),
        (ZIP + b"word/document.xml", None, "report.zip", DOCX),
        (ZIP + b"word/document.xml", PDF, "report.pdf", DOCX),
        (ZIP + b"ppt/presentation.xml", DOCX, "report.docx", PPTX),
        (ZIP + b"xl/workbook.xml", None, "book.zip", XLSX),
        (ZIP + b"mimetypeapplication/epub+zip" + ZIP + b"META-INF/container.xml", None, None, EPUB),
        (
            ZIP + b"ppt/x" + ZIP + b"xl/workbook" + DIRECTORY + b"xl/workbook" + DIRECTORY + b"ppt/presentation",
            None,
            None,
            PPTX,
        ),
        (b"{\\rtf1 text}", "text/plain", "notes.txt", RTF),
        (MAIL, None, "mail", EML),
        (MAIL, "message/rfc822", None, EML),
        (MAIL, None, "quoted.txt", TEXT),
        (b"From: me\n\nOnly one header", None, None, TEXT),
        (b"Subject: a\nno header\nTo: b\n\n", None, None, TEXT),
        (b"hello", None, None, TEXT),
        (b"hello", "application/octet-stream", "README.md", MARKDOWN),
        (b"hello", "text/markdown; charset=utf-8", "notes", MARKDOWN),
        (b"hello", "text/plain", "notes.md", TEXT),
        (b"hello", None, "PAGE.HTM", HTML),
        (b"\xef\xbb\xbf \n<!DOCTYPE html><p>hi", None, None, HTML),
        (b"<?xml version='1.0'?>\n<html xmlns='x'>", None, "page", HTML),
        (b"In HTML one writes <html> first", None, None, TEXT),
        (b"a,b\n1,2\n", "text/csv", "table.csv", TEXT),
        (b"\xff\xfeh\0i\0", None, "utf16.txt", TEXT),
        (b"a stray\0NUL", None, None, TEXT),
        (b"", None, None, TEXT),
    ],
)
def test_the_content_decides_and_the_name_tells_text_formats_apart(
    content: bytes, media_type: str | None, filename: str | None, found: str
) -> None:
    assert detect(content, media_type, filename) == found


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (ZIP + b"a.txt", "a ZIP archive, but no document"),
        (ZIP + b"a.txt says word/document.xml", "a ZIP archive, but no document"),
        (OFFICE, "Office file with a password"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary"),
        (b"%!PS-Adobe-3.0", "PostScript"),
    ],
)
def test_other_types_are_refused_and_the_readable_ones_named(content: bytes, says: str) -> None:
    with pytest.raises(UnsupportedType, match=says) as caught:
        detect(content, "text/plain", "notes.txt")
    assert "plain text, Markdown, HTML, PDF, DOCX, PPTX, XLSX, EPUB, RTF and EML" in caught.value.detail


@pytest.mark.parametrize(
    ("media_type", "filename"),
    [
        (None, "a.docx"),
        (DOCX, None),
        (PDF, "a.txt"),
        (None, "a.PDF"),
        (None, "a.pptx"),
        (EPUB, None),
        ("text/rtf", None),
        (None, "a.eml"),
    ],
)
def test_text_that_is_said_to_be_something_else_is_refused(media_type: str | None, filename: str | None) -> None:
    with pytest.raises(Invalid, match="its content is not") as caught:
        detect(b"just text", media_type, filename)
    assert caught.value.code == "unreadable_file"
