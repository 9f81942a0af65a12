"""The work of `embed_pending`: claims texts, finds or buys their vectors, writes them and ends what they complete."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Semaphore
from time import monotonic, sleep

import structlog

from dbrag.embedding import claim, spend, write
from dbrag.embedding.answers import Embedded
from dbrag.embedding.failures import DimensionsDiffer, RateLimited
from dbrag.embedding.lookup import look_up
from dbrag.embedding.model import Batch, Found, Text
from dbrag.errors import DbragError, Permanent, Transient
from dbrag.runtime import Runtime

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
# A wake-up works for this share of a lease before it leaves the rest to the next one, so that tasks stay short.
SLICE = 0.25
# What it sits out, as a share of a lease, before it gives the texts back: the request must still fit into the lease.
GRANT_SHARE = 0.1
UNUSABLE = Permanent("the provider's vector of it is zero, or has numbers that are not to be stored", code="bad_vector")


def embed_pending(runtime: Runtime) -> int:
    """Embeds what waits until nothing is left or its time is over; returns the number of texts that were claimed.

    It works in lanes: a thread each, with one request in flight. A lane that finds more than fits into its request
    opens another one, and when all are open wakes another worker, so as many requests are out as there are to make.
    """
    lanes = Lanes(runtime)
    lanes.open()
    return lanes.wait()


class Lanes:
    """While one lane waits for the provider, others pack the next request and write the last answer."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._deadline = monotonic() + SLICE * runtime.settings.lease_s
        self._free = Semaphore(runtime.settings.embed_threads)
        self._pool = ThreadPoolExecutor(runtime.settings.embed_threads, "lane")
        self._lanes = SimpleQueue[Future[int]]()

    def open(self) -> bool:
        """Opens one more lane; False where all are open."""
        if not self._free.acquire(blocking=False):
            return False
        self._lanes.put(self._pool.submit(self._run))
        return True

    def wait(self) -> int:
        """The texts that all lanes together have claimed. Raises what ended one of them, after all have ended."""
        with self._pool:
            texts = 0
            while not self._lanes.empty():  # a lane opens another one before it ends
                texts += self._lanes.get().result()
        return texts

    def _run(self) -> int:
        texts = 0
        try:
            while monotonic() < self._deadline:
                batch = claim.claim_full(self._runtime)
                if batch is None:
                    break
                texts += len(batch.texts)
                wakes_others = batch.more and not self.open()
                if batch.texts and not _embed(self._runtime, batch, wakes_others=wakes_others):
                    break
        finally:
            self._free.release()
        return texts


def _embed(runtime: Runtime, batch: Batch, *, wakes_others: bool) -> bool:
    """Takes the batch to its end; False where the provider wants to be left alone for now."""
    log.info(
        "embedding",
        claim_id=str(batch.claim_id),
        model=batch.model,
        texts=len(batch.texts),
        jobs=sorted({str(text.job_id) for text in batch.texts}),
    )
    found = look_up(runtime, batch)
    unknown = list({text.hash: text for text in batch.texts if not found.knows(text.hash)}.values())
    try:
        _await_grant(runtime, batch.model, sum(text.tokens for text in unknown))
        if wakes_others:
            runtime.wake(batch.queue)
        _ask(runtime, batch, found, unknown)
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


def _await_grant(runtime: Runtime, model: str, tokens: int) -> None:
    """Waits a little for the provider's limits. Raises: RateLimited where it would take long."""
    patience_s = GRANT_SHARE * runtime.settings.lease_s
    while tokens and (wait_s := runtime.governor.take(model, tokens)):
        patience_s -= wait_s
        if patience_s < 0:
            raise RateLimited("The embedding provider's limits are used up for now.", retry_after_s=wait_s)
        sleep(wait_s)


def _ask(runtime: Runtime, batch: Batch, found: Found, asked: Sequence[Text]) -> None:
    """Asks for texts; what is paid is recorded and cached as soon as it is there.

    No transaction is open while the provider works.
    """
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
