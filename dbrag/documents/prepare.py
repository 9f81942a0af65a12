"""From what was submitted to chunks, without the database: extract, split, hash."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

from dbrag.documents import outline
from dbrag.documents.extract import Extractor
from dbrag.documents.filetype import is_markdown
from dbrag.documents.model import Chunking
from dbrag.documents.split import Span, split
from dbrag.documents.tokens import count_tokens
from dbrag.embedding.pack import estimate_tokens
from dbrag.embedding.texts import text_hash
from dbrag.errors import Permanent

# A text, whether it is Markdown, and the seconds that its extraction took.
Splitter = Callable[[str, bool, float], list[Span]]


class Source(NamedTuple):
    """A version as it was submitted: `text`, or a file's `content`; `tries`: see poison.py."""

    version_id: int
    document_id: int
    item_index: int
    text: str | None
    title: str | None
    media_type: str | None
    filename: str | None
    content: bytes | None
    tries: int
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """`start` and `end` are character offsets; `tokens` is what the text weighs in a request; `hash` its SHA-256.

    `page` and `headings`: see outline.Place.
    """

    start: int
    end: int
    tokens: int
    hash: bytes
    text: str
    page: int | None
    headings: list[str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A version that is split; `extracted` says that its text came out of a file and is to be stored."""

    source: Source
    text: str
    title: str | None
    extracted: bool
    chunks: list[Chunk]


def prepare(source: Source, extractor: Extractor, splitter: Splitter) -> Prepared:
    """Raises: Permanent where the file cannot be read or there is nothing in it."""
    # A text has no type; that of its name tells whether to split it along its headings.
    markdown = is_markdown(source.external_id)
    text, title, extracted, pages = source.text, source.title, False, list[int]()
    began_s = monotonic()
    if text is None:
        result = extractor.extract(source.content or b"", source.media_type, source.filename)
        text, title, extracted = result.text, title or result.title, True
        markdown, pages = result.markdown, result.pages
    spans = splitter(text, markdown, monotonic() - began_s)
    if not spans:
        raise Permanent("there is no text in it", code="no_text")
    above = outline.headings(text) if markdown else []
    found = outline.places((span.start for span in spans), above, pages)
    chunks = [_chunk(text, span, place) for span, place in zip(spans, found, strict=True)]
    return Prepared(source, text, title, extracted, chunks)


def documents(chunking: Chunking, limit_s: float) -> Splitter:
    """Splits documents by their collection's policy; one that takes longer than `limit_s` in all fails."""
    return lambda text, markdown, spent_s: split(
        text, chunking.max_tokens, chunking.overlap_tokens, markdown=markdown, limit_s=max(limit_s - spent_s, 1.0)
    )


def whole_texts(max_tokens: int) -> Splitter:
    """Takes ready-made texts as they are: one chunk each, or an error where the model cannot take them."""

    def one_chunk(text: str, markdown: bool, spent_s: float) -> list[Span]:
        tokens = count_tokens(text)
        if tokens > max_tokens:
            raise Permanent(
                f"the text has {tokens} tokens, the model takes {max_tokens}: send it as a document to have it split",
                code="text_too_long",
            )
        return [Span(0, len(text), tokens)]

    return one_chunk


def _chunk(text: str, span: Span, place: outline.Place) -> Chunk:
    part = text[span.start : span.end]
    return Chunk(span.start, span.end, estimate_tokens(part, span.tokens), text_hash(part), part, *place)
