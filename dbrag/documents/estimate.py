"""What ingesting items would cost, before anything is done: split as workers would, as far as a few seconds reach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

import numpy as np

from dbrag.database.pool import Connection
from dbrag.documents import prepare
from dbrag.documents.extract import Extractor
from dbrag.documents.model import Collection, Refusal, Storage, Submission
from dbrag.documents.split import Span
from dbrag.embedding.cache import HALVES, VectorCache
from dbrag.embedding.pack import BYTES_PER_TOKEN
from dbrag.errors import Permanent
from dbrag.jobs.model import Kind
from dbrag.settings import Settings
from dbrag.vectors import generations, segments

# No further item is begun after so many seconds; one may take so many, and a file's extraction so much memory.
BEGIN_S, ITEM_S, MEMORY_MB = 3.0, 2.0, 512
# What fails by these limits may pass with a worker's.
OUT_OF_REACH = {"extraction_timeout", "extraction_out_of_memory", "text_too_large"}
# Hashes that are looked up at once: the cache answers with their vectors.
SLICE = 1000


@dataclass(frozen=True, slots=True)
class Refused:
    """An item that would fail, and why."""

    index: int
    external_id: str | None
    code: str
    detail: str


@dataclass(slots=True)
class Measured:
    """What the items hold: `chunks` of those that were split, of which `tokens` (by text hash) are to be billed.

    `unread_bytes` are of items that there was no time for.
    """

    refused: list[Refused] = field(default_factory=list[Refused])
    accepted: int = 0
    skipped: int = 0
    chunks: int = 0
    tokens: dict[bytes, int] = field(default_factory=dict[bytes, int])
    read_bytes: int = 0
    unread_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """`texts` are to be paid for, with `tokens` in all. `texts_from_cache` of the chunks are not: their vector is
    stored or cached, or another chunk has the same text. `exact`: False where a part was taken to be like the rest."""

    documents: int
    skipped: int
    refused: list[Refused]
    chunks: int
    texts: int
    texts_from_cache: int
    tokens: int
    cost_usd: float
    model: str
    exact: bool


def measure(
    collection: Collection,
    kind: Kind,
    items: Sequence[Submission | Refusal],
    existing: Mapping[str, Refusal | None],
    settings: Settings,
) -> Measured:
    """Extracts and splits, without the database, within some 5 seconds. `existing`: see accept.py."""
    splitter = (
        prepare.whole_texts(settings.model_max_tokens(collection.model))
        if kind is Kind.BATCH_EMBED
        else prepare.documents(collection.chunking, ITEM_S)
    )
    measured, deadline = Measured(), monotonic() + BEGIN_S
    extractor = Extractor(min(ITEM_S, settings.extract_timeout_s), min(MEMORY_MB, settings.extract_memory_mb))
    try:
        for index, sent in enumerate(items):
            item = existing.get(sent.external_id, sent) if sent.external_id else sent
            if item is None:
                measured.skipped += 1
            elif isinstance(item, Refusal):
                measured.refused.append(Refused(index, item.external_id, item.code, item.detail))
            elif monotonic() > deadline:
                _leave(measured, item)
            else:
                _measure(measured, index, item, extractor, splitter)
    finally:
        extractor.close()
    return measured


def price(
    conn: Connection, cache: VectorCache | None, collection: Collection, measured: Measured, settings: Settings
) -> Estimate:
    """What of that would be paid: not what is stored in the collection, or cached."""
    known = _known(conn, cache, collection, list(measured.tokens))
    unknown = [tokens for hash_, tokens in measured.tokens.items() if hash_ not in known]
    chunks, texts, tokens = measured.chunks, len(unknown), sum(unknown)
    if measured.unread_bytes and measured.read_bytes:
        whole = 1 + measured.unread_bytes / measured.read_bytes
        chunks, texts, tokens = round(chunks * whole), round(texts * whole), round(tokens * whole)
    elif measured.unread_bytes:
        tokens = measured.unread_bytes // BYTES_PER_TOKEN
        chunks = texts = max(1, tokens // (collection.max_tokens - collection.overlap_tokens))
    return Estimate(
        documents=measured.accepted,
        skipped=measured.skipped,
        refused=measured.refused,
        chunks=chunks,
        texts=texts,
        texts_from_cache=chunks - texts,
        tokens=tokens,
        cost_usd=settings.price_usd(collection.model, tokens),
        model=collection.model,
        exact=not measured.unread_bytes,
    )


def _measure(
    measured: Measured, index: int, item: Submission, extractor: Extractor, splitter: prepare.Splitter
) -> None:
    spans: list[Span] = []

    def remembering(text: str, markdown: bool, spent_s: float) -> list[Span]:
        spans[:] = splitter(text, markdown, spent_s)
        return spans

    source = prepare.Source(
        version_id=0,
        document_id=0,
        item_index=index,
        text=item.text,
        title=item.title,
        media_type=item.media_type,
        filename=item.filename,
        content=item.content,
        tries=0,
        external_id=item.external_id,
    )
    try:
        prepared = prepare.prepare(source, extractor, remembering)
    except Permanent as exc:
        if exc.code in OUT_OF_REACH:
            _leave(measured, item)
        else:
            measured.refused.append(Refused(index, item.external_id, exc.code, exc.detail))
        return
    measured.accepted += 1
    measured.read_bytes += item.size
    measured.chunks += len(spans)
    # What is billed is counted; a chunk's `tokens` is what it weighs in a request, which may be more.
    measured.tokens |= {chunk.hash: span.tokens for chunk, span in zip(prepared.chunks, spans, strict=True)}


def _leave(measured: Measured, item: Submission) -> None:
    measured.accepted += 1
    measured.unread_bytes += item.size


def _known(conn: Connection, cache: VectorCache | None, collection: Collection, hashes: Sequence[bytes]) -> set[bytes]:
    """Texts that whoever embeds them need not ask for (embedding/lookup.py)."""
    generation = generations.of_collection(conn, collection.id)
    known = segments.known(conn, generation, hashes)
    missing = [hash_ for hash_ in hashes if hash_ not in known]
    dtype = np.dtype("<f4") if generation.storage is Storage.VECTOR else HALVES
    if cache:
        for start in range(0, len(missing), SLICE):
            some = missing[start : start + SLICE]
            known |= cache.get(generation.model, generation.dimensions, some, dtype).keys()
    return known
