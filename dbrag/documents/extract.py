"""From a file's bytes to its text, in a process that may be killed."""

import html
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from typing import IO, Any, NamedTuple, cast

import orjson

from dbrag.documents import extractor
from dbrag.documents.filetype import HTML, MARKDOWN, NAMES, PDF, TEXT, detect
from dbrag.documents.plaintext import decode, decode_html
from dbrag.errors import Invalid, Permanent, TooLarge

DOCUMENTS_PER_PROCESS = 200  # then a fresh one takes over, so that leaks in native code do not add up
MAX_TITLE_CHARS = 500
_OUT_OF_MEMORY = b"memory allocation of", b"MemoryError", b"ut of memory", b"bad_alloc"
# All that the process gets of the environment: it parses strangers' files and needs no password.
_ENVIRONMENT = "LD_LIBRARY_PATH", "PYTHONPATH"


@dataclass(frozen=True, slots=True)
class Extracted:
    """A file's text, not blank and without NUL characters.

    `pages`: where each page of a PDF, or slide of a PPTX, begins, in characters; of other formats nothing is known.
    """

    text: str
    title: str | None
    media_type: str
    markdown: bool
    pages: list[int]


class Extractor:
    """Extracts one file at a time; text is decoded right here, the rest goes to a process started when first needed.

    To be opened after a fork and used by one thread: the process dies with the thread that started it.
    """

    def __init__(self, timeout_s: float, memory_mb: int = 1024) -> None:
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._process: _Process | None = None

    def extract(self, content: bytes, media_type: str | None, filename: str | None) -> Extracted:
        """Raises: UnsupportedType; else Permanent with one of the codes `unreadable_file`, `no_text`,
        `text_too_large`, `extraction_timeout`, `extraction_out_of_memory`, `extraction_crashed`.
        """
        kind = detect(content, media_type, filename)
        if kind in (TEXT, MARKDOWN):
            extracted = Extracted(decode(content), None, kind, kind == MARKDOWN, [])
        else:
            extracted = self._apart(decode_html(content).encode() if kind == HTML else content, kind)
        if not extracted.text.strip():
            reason = "it has no text layer, and OCR is not part of this release" if kind == PDF else "it is blank"
            raise Invalid(f"There is no text in the file: {reason}.", code="no_text")
        return extracted

    def close(self) -> None:
        if self._process:
            self._process.stop()
            self._process = None

    def _apart(self, content: bytes, kind: str) -> Extracted:
        """A process that dies gives way to a fresh one, once: a file before this one may have been to blame."""
        deadline = time.monotonic() + self._timeout_s
        reply = self._ask(kind, content, deadline)
        if isinstance(reply, Permanent) and time.monotonic() < deadline:
            reply = self._ask(kind, content, deadline)
        if isinstance(reply, Permanent):
            raise reply
        if "error" in reply.facts:
            raise self._refusal(reply.facts["error"], NAMES[kind])
        title = html.unescape(reply.facts["title"] or "").strip()[:MAX_TITLE_CHARS] or None
        return Extracted(reply.text.decode(), title, kind, kind != PDF, reply.facts["pages"] or [])

    def _ask(self, kind: str, content: bytes, deadline: float) -> "_Reply | Permanent":
        """The answer, or what the process died of."""
        process = self._process or _Process(self._memory_mb)
        self._process = None  # whatever is raised below: a process with an answer under way is never asked again
        try:
            reply = process.ask(kind, content, deadline)
        except BaseException:
            process.stop()
            raise
        if reply and process.asked < DOCUMENTS_PER_PROCESS:
            self._process = process
            return reply
        log = process.stop()
        return reply or self._death(log, process.exit_code, timed_out=time.monotonic() >= deadline)

    def _death(self, log: bytes, exit_code: int, *, timed_out: bool) -> Permanent:
        if timed_out:
            detail = f"Extracting the text took longer than {self._timeout_s:g} s; split the file into smaller ones."
            return Permanent(detail, code="extraction_timeout")
        if any(sign in log for sign in _OUT_OF_MEMORY):
            return self._out_of_memory()
        detail = f"The extractor crashed on this file, twice (exit code {exit_code}); the file may be damaged."
        return Permanent(detail, code="extraction_crashed")

    def _refusal(self, error: str, name: str) -> Permanent:
        """Why kreuzberg could not read the file: its messages are chains of causes, the last the most precise."""
        if error == extractor.TEXT_TOO_LARGE or "Security limit" in error:
            limit_mb = extractor.MAX_TEXT_BYTES // 2**20
            return TooLarge(f"The {name} unpacks to more than {limit_mb} MiB of text; split it.", code="text_too_large")
        if "out of memory" in error:
            return self._out_of_memory()
        if "password" in error or "encrypted" in error:
            return Invalid(f"The {name} is encrypted; remove its password and send it again.", code="unreadable_file")
        reason = error.rpartition(": ")[2]
        return Invalid(f"The {name} is damaged or cut short, and cannot be read ({reason}).", code="unreadable_file")

    def _out_of_memory(self) -> Permanent:
        detail = f"Extracting the text takes more than {self._memory_mb} MiB; split the file into smaller ones."
        return Permanent(detail, code="extraction_out_of_memory")


class _Reply(NamedTuple):
    facts: dict[str, Any]
    text: bytes


class _Process:
    """One process of dbrag/documents/extractor.py, and its log, which tells what it died of."""

    def __init__(self, memory_mb: int) -> None:
        self.asked = 0
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by stop()
        self._popen = subprocess.Popen(  # noqa: S603 -- our own program
            [sys.executable, "-P", extractor.__file__, str(os.getpid()), str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            process_group=0,  # Ctrl-C in a terminal stops the worker, which stops this
        )

    @property
    def exit_code(self) -> int:
        return self._popen.wait()

    def ask(self, kind: str, content: bytes, deadline: float) -> _Reply | None:
        """The answer, or None if the process ends before: by itself, or killed at `deadline` (of time.monotonic)."""
        self.asked += 1
        requests, replies = cast("IO[bytes]", self._popen.stdin), cast("IO[bytes]", self._popen.stdout)
        alarm = Timer(deadline - time.monotonic(), self._popen.kill)
        alarm.start()
        try:
            extractor.write_frame(requests, kind.encode())
            extractor.write_frame(requests, content)
            facts = extractor.read_frame(replies, extractor.MAX_TEXT_BYTES)
            text = extractor.read_frame(replies, extractor.MAX_TEXT_BYTES)
        except BrokenPipeError:
            return None
        finally:
            alarm.cancel()
        return None if facts is None or text is None else _Reply(orjson.loads(facts), text)

    def stop(self) -> bytes:
        """Ends it if it has not ended, leaves no zombie and no open file; returns its log."""
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            with suppress(BrokenPipeError):  # of what was still to be written
                cast("IO[bytes]", pipe).close()
        with self._log:
            self._log.seek(0)
            return self._log.read()
