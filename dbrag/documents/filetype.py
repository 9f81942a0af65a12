"""Tells what kind of file some bytes are."""

from pathlib import PurePath

from dbrag.errors import Invalid, UnsupportedType

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
TEXT = "text/plain"

READABLE = "plain text, Markdown, HTML, PDF and DOCX"
NAMES = {PDF: "PDF", DOCX: "DOCX", HTML: "HTML", MARKDOWN: "Markdown", TEXT: "text"}

_SUFFIXES = {
    ".pdf": PDF,
    ".docx": DOCX,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".txt": TEXT,
}
_ALIASES = {"application/xhtml+xml": HTML, "text/x-markdown": MARKDOWN}
_UTF16_MARKS = b"\xff\xfe", b"\xfe\xff"
_OTHERS = {
    b"\xd0\xcf\x11\xe0": "an old Office file (.doc) or an Office file with a password; save it as DOCX without one",
    b"{\\rtf": "RTF; save it as DOCX",
    b"%!PS": "PostScript; convert it to PDF",
}


def detect(content: bytes, media_type: str | None, filename: str | None) -> str:
    """The media type of `content`: PDF, DOCX, HTML, MARKDOWN or TEXT.

    The bytes decide; what the sender says only tells the text formats apart, which look alike.
    Raises: UnsupportedType for anything else; Invalid (`unreadable_file`) for text that is said to be PDF or DOCX.
    """
    if b"%PDF-" in content[:1024]:
        return PDF
    if content.startswith(b"PK\x03\x04"):
        if b"word/document" in content:  # names stand uncompressed in a ZIP file, so this needs no unpacking
            return DOCX
        raise UnsupportedType(f"This is a ZIP archive, but not a DOCX. Readable are {READABLE}.")
    _refuse_binary(content)
    said = _said(media_type, filename)
    if said in (PDF, DOCX):
        raise Invalid(
            f"This is said to be {NAMES[said]}, but its content is not; check the file, or its name.",
            code="unreadable_file",
        )
    return said or (HTML if _looks_like_html(content) else TEXT)


def _refuse_binary(content: bytes) -> None:
    for magic, description in _OTHERS.items():
        if content.startswith(magic):
            raise UnsupportedType(f"This is {description}. Readable are {READABLE}.")
    if _is_binary(content):
        raise UnsupportedType(f"This is a binary file of an unknown type. Readable are {READABLE}.")


def _is_binary(content: bytes) -> bool:
    """NUL characters give it away; but in UTF-16 they belong, and a stray one in valid UTF-8 is forgiven."""
    if b"\0" not in content[:8192] or content.startswith(_UTF16_MARKS):
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return True
    return False


def _said(media_type: str | None, filename: str | None) -> str | None:
    """The one of our types that the sender names: by the media type, else by the name of the file."""
    named = (media_type or "").partition(";")[0].strip().lower()
    named = _ALIASES.get(named, named)
    return named if named in NAMES else _SUFFIXES.get(PurePath(filename or "").suffix.lower())


def _looks_like_html(content: bytes) -> bool:
    head = content[:1024].lower()
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<!doctype html", b"<html")) or (
        head.startswith(b"<?xml") and b"<html" in head
    )
