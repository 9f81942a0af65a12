"""The extractor's process: reads files from stdin, answers their text on stdout.

It parses what strangers sent with native libraries, so it runs apart, with a limit of memory and without dbrag's
secrets, and may be killed at any moment. It is run by its path and imports nothing of dbrag: it starts in 0.15 s.

A frame is a length (8 bytes, big endian) and as many bytes. A request is two frames: media type and content; the reply,
too: a JSON object (`error`, or `title` and `pages`) and the text in UTF-8.
"""

import ctypes
import os
import re
import resource
import secrets
import signal
import struct
import sys
from typing import IO

import orjson

MAX_TEXT_BYTES = 16 * 2**20  # a Celery child has 300 MB, and holds a text in up to five forms at once
TEXT_TOO_LARGE = "text too large"
PDF = "application/pdf"
PAGED = PDF, "application/vnd.openxmlformats-officedocument.presentationml.presentation"
MAIL = "message/rfc822"
MARK = f"@@{secrets.token_hex(8)}@@"

_MARK = re.compile(rf"\n*{MARK}(\d+){MARK}\n*")
_LENGTH = struct.Struct(">Q")
_PR_SET_PDEATHSIG = 1

# kreuzberg puts an HTML page's <title> and <meta> before its Markdown, as a block whose end reads as a heading.
_HTML_HEAD = re.compile(r"\A---\n(?:[^\n]+\n)*\n## (?:title|base-href|canonical|meta-[^\n:]+): [^\n]*\n+")
_EMBEDDED_IMAGE = re.compile(r"!\[([^\]\n]*)\]\(data:[^)\n]*\)")


def main(parent_pid: int, memory_mb: int) -> None:
    _die_with(parent_pid)
    # Not RLIMIT_AS: kreuzberg's threads reserve 500 MB of addresses that they never touch.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 2**20, memory_mb * 2**20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the frames
    while (media_type := read_frame(requests, 1024)) is not None:
        content = read_frame(requests, sys.maxsize)
        if content is None:
            return
        facts, text = extract(content, media_type.decode())
        write_frame(replies, orjson.dumps(facts))
        write_frame(replies, text)


def extract(content: bytes, media_type: str) -> tuple[dict[str, object], bytes]:
    """What a reply says: `title` and `pages` (None where the format has none), or `error`; and the text."""
    from kreuzberg import ExtractionConfig, KreuzbergError, PageConfig, extract_bytes_sync  # noqa: PLC0415 -- only in this process

    # PDF as plain text: kreuzberg's Markdown of a PDF leaves out whole sections. OCR is off (`ocr=None`).
    config = ExtractionConfig(use_cache=False, ocr=None, output_format="plain" if media_type == PDF else "markdown")
    if media_type in PAGED:
        # Not its page boundaries, which are off by a character a slide (4.10): marks, which nobody can guess.
        config.pages = PageConfig(insert_page_markers=True, marker_format=f"\n\n{MARK}{{page_num}}{MARK}\n\n")
    try:
        result = extract_bytes_sync(content, media_type, config)
    except KreuzbergError as exc:
        return {"error": str(exc)}, b""
    text, pages = _without_marks(_clean(result.content)) if media_type in PAGED else (_clean(result.content), None)
    encoded = text.encode()
    if len(encoded) > MAX_TEXT_BYTES:
        return {"error": TEXT_TOO_LARGE}, b""
    return {"title": result.metadata.get("subject" if media_type == MAIL else "title"), "pages": pages}, encoded


def _without_marks(text: str) -> tuple[str, list[int]]:
    """The text, and for each page (the first is 1) where it begins, in characters."""
    before, *found = _MARK.split(text)
    pages: list[str] = [before] if before else []
    starts, at = list[int](), len(before) + 2 if before else 0
    for number, page in zip(map(int, found[::2]), found[1::2], strict=True):
        starts += [at] * (number - len(starts))  # a page that has no mark is as long as nothing
        pages.append(page)
        at += len(page) + 2
    return "\n\n".join(pages), starts


def read_frame(stream: IO[bytes], max_bytes: int) -> bytes | None:
    """The bytes of the next frame; None where the stream ends before its end, or it is larger than `max_bytes`."""
    header = stream.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(header)
    content = stream.read(length) if length <= max_bytes else b""
    return content if len(content) == length else None


def write_frame(stream: IO[bytes], content: bytes) -> None:
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def _clean(text: str) -> str:
    """Without what is no text: the head of a page, pictures as base64 (which would be paid for), NUL characters."""
    text = _EMBEDDED_IMAGE.sub(r"\1", _HTML_HEAD.sub("", text, count=1))
    return text.replace("\r\n", "\n").replace("\0", "")


def _die_with(parent_pid: int) -> None:
    """Has the kernel kill this process when its parent dies, even in the middle of an extraction."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit("the parent died first")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
