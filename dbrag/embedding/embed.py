"""The work of `embed_pending`: claims texts, finds or buys their vectors, writes them and ends what they complete."""

from collections.abc import Iterable, Sequence
from time import monotonic

import structlog

from dbrag.embedding import claim, spend, write
from dbrag.embedding.answers import Embedded
from dbrag.embedding.failures import DimensionsDiffer
from dbrag.embedding.lookup import look_up
from dbrag.embedding.model import Batch, Found, Text
from dbrag.errors import DbragError, Permanent, Transient
from dbrag.runtime import Runtime

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
# A wake-up works for this share of a lease before it leaves the rest to the next one, so that tasks stay short.
SLICE = 0.25
UNUSABLE = Permanent("the provider's vector of it is zero, or has numbers that are not to be stored", code="bad_vector")


def embed_pending(runtime: Runtime) -> int:
    """Embeds what waits, one request after the other, until nothing is left or its time is over.

    Returns the number of texts that were claimed. A worker that finds more than fits into its request wakes another
    one, so as many work at once as there are requests to make and workers free.
    """
    deadline = monotonic() + SLICE * runtime.settings.lease_s
    done = 0
    while monotonic() < deadline:
        with runtime.pool.connection() as conn:
            batch = claim.claim(conn, runtime.settings)
        if batch is None:
            break
        if batch.more:
            runtime.wake(batch.queue)
        if batch.texts and not _embed(runtime, batch):
            break
        done += len(batch.texts)
    return done


def _embed(runtime: Runtime, batch: Batch) -> bool:
    """Takes the batch to its end; False where the provider wants to be left alone for now."""
    log.info(
        "embedding",
        claim_id=str(batch.claim_id),
        model=batch.model,
        texts=len(batch.texts),
        jobs=sorted({str(text.job_id) for text in batch.texts}),
    )
    found = look_up(runtime, batch)
    try:
        _ask(runtime, batch, found)
    except (Permanent, DimensionsDiffer) as exc:  # what concerns every text, such as a model that there is not
        _refuse(found, [text for text in batch.texts if not found.knows(text.hash)], exc)
        write.write(runtime, batch, found)
    except Transient as exc:
        log.warning("the provider gave nothing", code=exc.code, error=exc.detail, claim_id=str(batch.claim_id))
        write.write(runtime, batch, found)
        with runtime.pool.connection() as conn:
            claim.give_back(conn, batch, exc)
        return False
    else:
        write.write(runtime, batch, found)
    return True


def _ask(runtime: Runtime, batch: Batch, found: Found) -> None:
    """Asks for the texts that are not known, each once; what is paid is recorded and cached as soon as it is there.

    No transaction is open while the provider works.
    """
    unknown = {text.hash: text for text in batch.texts if not found.knows(text.hash)}
    asked = list(unknown.values())
    for positions, answer in runtime.provider.embed_each([text.text for text in asked], batch.model, batch.dimensions):
        answered = [asked[position] for position in positions]
        if isinstance(answer, Permanent):
            _refuse(found, answered, answer)
        else:
            _keep(runtime, batch, found, answered, answer)


def _keep(runtime: Runtime, batch: Batch, found: Found, asked: Sequence[Text], answer: Embedded) -> None:
    """Takes over an answer; a text whose vector cannot be stored is refused alone."""
    usable = {
        text.hash: vector
        for position, (text, vector) in enumerate(zip(asked, answer.vectors, strict=True))
        if position not in answer.unusable
    }
    if runtime.cache:  # first: a database that is away now must not make us pay again
        runtime.cache.put(batch.model, batch.dimensions, usable, batch.dtype)
    spend.record(runtime, batch, asked, answer.prompt_tokens)
    found.vectors |= usable
    found.paid |= {text.hash for text in asked}
    _refuse(found, [asked[position] for position in answer.unusable], UNUSABLE)


def _refuse(found: Found, texts: Iterable[Text], error: DbragError) -> None:
    found.errors |= {text.hash: {"code": error.code, "detail": error.detail} for text in texts}
