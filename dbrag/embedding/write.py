"""Writing vectors: one transaction that stores them, makes versions live and ends the jobs that this completes."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from psycopg.errors import DeadlockDetected
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.documents import collections, versions
from dbrag.embedding import spend
from dbrag.embedding.model import Batch, Found, Text
from dbrag.errors import Transient
from dbrag.jobs.settle import Outcome, lock, settle
from dbrag.runtime import Runtime
from dbrag.vectors import generations, index, segments

SQL = beside(__file__)


def write(runtime: Runtime, batch: Batch, found: Found) -> None:
    """Writes what was found for the batch; texts of which nothing is known stay claimed.

    Raises: Transient where the segment is sealed again and again.
    """
    known = [text for text in batch.texts if found.knows(text.hash)]
    if not known:
        return
    written = {text.generation_id for text in known}
    for try_ in Retrying(
        retry=retry_if_exception_type((Transient, DeadlockDetected)),
        stop=stop_after_attempt(5),
        wait=wait_random(0, 0.1),
        reraise=True,
    ):
        with try_:
            for generation_id in written:
                with runtime.pool.connection() as conn:
                    segments.ensure_fresh(conn, generation_id)
            with runtime.pool.connection() as conn:
                _write(conn, batch, found, known)
    for generation_id in written:
        with runtime.pool.connection() as conn:
            sealed = index.seal_when_full(conn, batch.generations[generation_id], runtime.settings)
        if sealed:
            runtime.publisher.poke()


def _write(conn: Connection, batch: Batch, found: Found, known: Sequence[Text]) -> None:
    versions.lock_of_chunks(conn, [text.chunk_id for text in known])
    texts = _take(conn, batch, known)
    good = [text for text in texts if text.hash in found.vectors]
    _copy(conn, batch, found, good)
    paid = {text.version_id for text in good if text.hash in found.paid and not batch.is_of_a_build(text)}
    failed = _fail(conn, batch, [(text, found.errors[text.hash]) for text in texts if text.hash in found.errors])
    completed = versions.complete(conn, {text.version_id for text in good}, paid)
    chunks = Counter(text.job_id for text in good)
    lock(conn, {*chunks, *(outcome.job_id for outcome in [*failed, *completed])})
    conn.execute(SQL.count_chunks, {"job_ids": list(chunks), "chunks": list(chunks.values())})
    spend.record_cached(conn, batch, _not_asked_for(good, found))
    settle(conn, failed + completed)
    if completed:
        collections.count_version(conn, {generation.collection_id for generation in batch.generations.values()})


def _take(conn: Connection, batch: Batch, known: Sequence[Text]) -> list[Text]:
    """Those that are still wanted: a version that failed or went away took its rows with it."""
    taken = conn.execute(
        SQL.take_pending,
        {
            "claim_id": batch.claim_id,
            "chunk_ids": [text.chunk_id for text in known],
            "generation_ids": [text.generation_id for text in known],
        },
    ).fetchall()
    # A chunk that did not change may have moved to another version of its document since it was claimed.
    versions_now = {(chunk_id, generation_id): version_id for chunk_id, generation_id, version_id in taken}
    return [
        text._replace(version_id=versions_now[text.chunk_id, text.generation_id])
        for text in known
        if (text.chunk_id, text.generation_id) in versions_now
    ]


def _fail(conn: Connection, batch: Batch, refused: Sequence[tuple[Text, dict[str, Any]]]) -> list[Outcome]:
    """What a generation that is being built refuses is its own failure, and no document's: another one serves them."""
    own = [
        (text, error)
        for text, error in refused
        if not (batch.is_of_a_build(text) and generations.refuse(conn, text.generation_id, error))
    ]
    return versions.fail(conn, {text.version_id: error for text, error in own})


def _copy(conn: Connection, batch: Batch, found: Found, texts: Sequence[Text]) -> None:
    by_generation = sorted(texts, key=lambda text: text.generation_id)
    for generation_id, group in groupby(by_generation, lambda text: text.generation_id):
        chunks = list(group)
        vectors = np.stack([found.vectors[text.hash] for text in chunks])
        segments.write(conn, batch.generations[generation_id], [text.chunk_id for text in chunks], vectors)


def _not_asked_for(texts: Sequence[Text], found: Found) -> list[Text]:
    """Texts whose vector was there, and all but the first of those that share one that was paid."""
    paid_once: set[bytes] = set()
    free: list[Text] = []
    for text in texts:
        if text.hash in found.paid and text.hash not in paid_once:
            paid_once.add(text.hash)
        else:
            free.append(text)
    return free
