"""Tells what kind of file some bytes are."""

import re
from pathlib import PurePath

from dbrag.errors import Invalid, UnsupportedType

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EPUB = "application/epub+zip"
RTF = "application/rtf"
EML = "message/rfc822"
HTML = "text/html"
MARKDOWN = "text/markdown"
TEXT = "text/plain"

READABLE = "plain text, Markdown, HTML, PDF, DOCX, PPTX, XLSX, EPUB, RTF and EML"
NAMES = {
    PDF: "PDF",
    DOCX: "DOCX",
    PPTX: "PPTX",
    XLSX: "XLSX",
    EPUB: "EPUB",
    RTF: "RTF",
    EML: "EML",
    HTML: "HTML",
    MARKDOWN: "Markdown",
    TEXT: "text",
}

_SUFFIXES = {
    ".pdf": PDF,
    ".docx": DOCX,
    ".pptx": PPTX,
    ".xlsx": XLSX,
    ".epub": EPUB,
    ".rtf": RTF,
    ".eml": EML,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".txt": TEXT,
}
_ALIASES = {"application/xhtml+xml": HTML, "text/x-markdown": MARKDOWN, "text/rtf": RTF}
# Members that tell what a ZIP file is, where its directory (or, in one that was cut short, the head of the member)
# names them: so nothing has to be unpacked, and no directory of a million names read into memory.
_MEMBER = re.compile(
    rb"PK(?:\x01\x02.{42}|\x03\x04.{26})(word/document|ppt/presentation|xl/workbook|META-INF/container\.xml)", re.DOTALL
)
_BY_MEMBER = {
    b"word/document": DOCX,
    b"ppt/presentation": PPTX,
    b"xl/workbook": XLSX,
    b"META-INF/container.xml": EPUB,
}
_HEADERS = re.compile(rb"(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+", re.ASCII)
_MAIL = re.compile(
    rb"^(from|date|received|message-id|subject|to|mime-version|return-path):", re.IGNORECASE | re.MULTILINE
)
_UTF16_MARKS = b"\xff\xfe", b"\xfe\xff"
_OTHERS = {
    b"\xd0\xcf\x11\xe0": "an old Office file (.doc, .xls, .ppt) or an Office file with a password; "
    "save it as DOCX, XLSX or PPTX without one",
    b"%!PS": "PostScript; convert it to PDF",
}


def detect(content: bytes, media_type: str | None, filename: str | None) -> str:
    """The media type of `content`: one of NAMES.

    The bytes decide; what the sender says only tells the text formats apart, which look alike.
    Raises: UnsupportedType for anything else; Invalid (`unreadable_file`) for text that is said to be no text.
    """
    if b"%PDF-" in content[:1024]:
        return PDF
    if content.startswith(b"PK\x03\x04"):
        return _of_zip(content)
    if content.startswith(b"{\\rtf"):
        return RTF
    _refuse_binary(content)
    said = _said(media_type, filename)
    is_mail = said in (EML, None) and _looks_like_mail(content)
    if said not in (HTML, MARKDOWN, TEXT, None) and not is_mail:
        raise Invalid(
            f"This is said to be {NAMES[said]}, but its content is not; check the file, or its name.",
            code="unreadable_file",
        )
    return said or (EML if is_mail else HTML if _looks_like_html(content) else TEXT)


def is_markdown(name: str) -> bool:
    """Whether a text under this name is Markdown."""
    return _said(None, name) == MARKDOWN


def _of_zip(content: bytes) -> str:
    # The last one is the file's own: its directory stands at its end, behind those of files that are embedded in it.
    members = _MEMBER.findall(content)
    if not members:
        raise UnsupportedType(f"This is a ZIP archive, but no document. Readable are {READABLE}.")
    return _BY_MEMBER[members[-1]]


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


def _looks_like_mail(content: bytes) -> bool:
    """Two different ones of a mail's headers, and nothing else but headers before the first blank line."""
    head = content[:65_536].removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    headers = _HEADERS.match(head)
    if headers is None or head[headers.end() : headers.end() + 1] not in (b"\n", b""):
        return False
    return len({name.lower() for name in _MAIL.findall(headers[0])}) > 1
