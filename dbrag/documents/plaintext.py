"""Decodes the bytes of text files."""

import codecs
import re

from dbrag.errors import Invalid

_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


def decode(content: bytes) -> str:
    """UTF-8, with or without a byte order mark, or UTF-16 with one. NUL characters, which SQL text cannot hold, go.

    Raises: Invalid (`unreadable_file`) for other encodings.
    """
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "UTF-16" if marked else "UTF-8"
    try:
        return content.decode("utf-16" if marked else "utf-8-sig").replace("\0", "")
    except UnicodeDecodeError as exc:
        detail = f"The file is not valid {encoding} (byte {exc.start}); save it as UTF-8 and send it again."
        raise Invalid(detail, code="unreadable_file") from exc


def decode_html(content: bytes) -> str:
    """The text of a page: in the encoding it names, else windows-1252, where it is neither UTF-8 nor UTF-16."""
    try:
        return decode(content)
    except Invalid:
        named = _CHARSET.search(content[:1024])
        return content.decode(_known(named[1].decode() if named else ""), "replace").replace("\0", "")


def _known(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"  # https://html.spec.whatwg.org/#determining-the-character-encoding
