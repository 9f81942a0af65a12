"""The work of `embed_pending`: claims texts, finds or buys their vectors, writes them and ends what they complete."""

from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Thread
from time import monotonic, sleep
from typing import Self

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
# While requests are out, how often it looks for texts that were split in the meantime, in seconds.
LOOK_AGAIN_S = 0.05
# What it sits out, as a share of a lease, before it gives the texts back: the request must still fit into the lease.
GRANT_SHARE = 0.1
UNUSABLE = Permanent("the provider's vector of it is zero, or has numbers that are not to be stored", code="bad_vector")


def embed_pending(runtime: Runtime) -> int:
    """Embeds what waits until nothing is left or its time is over; returns the number of texts that were claimed.

    While requests are out, the next one is packed and answers are written: each has a lane, a thread of its own. When
    all lanes are taken, another worker is woken, so that as many requests are out as there are to make.
    """
    with Lanes(runtime, monotonic() + SLICE * runtime.settings.lease_s) as lanes:
        return lanes.run()


class Beside:
    """Embedding in the background of a block that splits documents: where all workers split, somebody must.

    The block ends when its last request has.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._deadline = monotonic() + SLICE * runtime.settings.lease_s
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread:
            self._thread.join()

    def look(self) -> None:
        """Something was split. Returns at once."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._run, name="beside")
            self._thread.start()

    def _run(self) -> None:
        try:
            with Lanes(self._runtime, self._deadline) as lanes:
                lanes.run()
        except Exception:
            # No fault of the job that is being split; the texts' leases bring them back.
            log.exception("embedding beside the splitting broke off")


class Lanes:
    """The requests that one process has in flight."""

    def __init__(self, runtime: Runtime, deadline: float) -> None:
        self._runtime, self._deadline = runtime, deadline
        self._threads = ThreadPoolExecutor(runtime.settings.embed_threads, "lane")
        self._taken: set[Future[bool]] = set()
        self._limited = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()

    def run(self) -> int:
        """Claims and hands out until nothing is left, the provider wants to be left alone, or the time is over.

        Raises what ended one of the requests, after all have ended.
        """
        texts = 0
        while monotonic() < self._deadline and not self._limited:
            if len(self._taken) == self._runtime.settings.embed_threads:
                self._wait()
                continue
            batch = claim.claim_full(self._runtime)
            if batch:
                texts += len(batch.texts)
                wakes_others = batch.more and len(self._taken) + 1 == self._runtime.settings.embed_threads
                self._taken.add(self._threads.submit(_embed, self._runtime, batch, wakes_others=wakes_others))
            elif not self._taken:
                break
            else:
                self._wait(LOOK_AGAIN_S)
        while self._taken:
            self._wait()
        return texts

    def _wait(self, timeout_s: float | None = None) -> None:
        done, self._taken = wait(self._taken, timeout_s, FIRST_COMPLETED)
        for lane in done:
            self._limited |= not lane.result()


def _embed(runtime: Runtime, batch: Batch, *, wakes_others: bool) -> bool:
    """Takes the batch to its end; False where the provider wants to be left alone for now."""
    if not batch.texts:
        return True
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
    vectors = answer.vectors.astype(batch.dtype)  # as they are cached and stored: halves, if nothing needs more
    usable = {
        text.hash: vector
        for position, (text, vector) in enumerate(zip(asked, vectors, strict=True))
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
