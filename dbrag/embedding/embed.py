"""The work of `embed_pending`: claims texts, finds or buys their vectors, writes them and ends what they complete."""

from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from threading import Thread
from time import monotonic, sleep
from typing import Self

import structlog

from dbrag.embedding import claim, pack, pauses, spend, write
from dbrag.embedding.answers import Embedded
from dbrag.embedding.failures import DimensionsDiffer, NotGranted, ProviderFailed, Stopped
from dbrag.embedding.lookup import look_up
from dbrag.embedding.model import Batch, Found, Text
from dbrag.errors import DbragError, Permanent, Transient
from dbrag.jobs import holds
from dbrag.jobs.model import Queue
from dbrag.runtime import Runtime

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
# A wake-up works for this share of a lease before it leaves the rest to the next one: a probe must fit in behind it.
SLICE = 0.15
# While requests are out, how often it looks for texts that were split in the meantime, in seconds.
LOOK_AGAIN_S = 0.05
# What it sits out, as a share of a lease, before it gives the texts back: the request must still fit into the lease.
GRANT_SHARE = 0.1
# A claim that is older than this share of a lease is looked at again before its request: a process that stood still
# (SIGSTOP, a frozen host) may have lost it meanwhile, and others ask for its texts.
STALE_SHARE = 0.1
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
        """Claims and hands out until nothing is left, the limits are used up, or the time or the worker is over.

        Raises what ended one of the requests, after all have ended.
        """
        texts = 0
        while monotonic() < self._deadline and not self._limited and not self._runtime.draining():
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
    """Takes the batch to its end; False where the limits leave no room for now, or the worker is about to end."""
    if not batch.texts:
        return True
    log.info(
        "embedding",
        claim_id=str(batch.claim_id),
        model=batch.model,
        texts=len(batch.texts),
        jobs=sorted({str(text.job_id) for text in batch.texts}),
    )
    if batch.probes and (outage := _outage(runtime, batch)):
        _give_back(runtime, batch, outage, blamed=False)
        return True
    found = look_up(runtime, batch)
    unknown = list({text.hash: text for text in batch.texts if not found.knows(text.hash)}.values())
    try:
        waited = _await_grant(runtime, batch.model, sum(text.tokens for text in unknown))
        if waited or monotonic() > batch.claimed_at + STALE_SHARE * runtime.settings.lease_s:
            unknown = [unknown[i] for i in claim.still_wanted(runtime, batch, unknown, range(len(unknown)))]
        if wakes_others:
            runtime.wake(batch.queue)
        _ask(runtime, batch, found, unknown)
    except (Permanent, DimensionsDiffer) as exc:  # what concerns every text, such as a model that there is not
        if not _concerns_all(runtime, batch, exc):
            write.write(runtime, batch, found)
            _give_back(runtime, batch, ProviderFailed(exc.detail), blamed=True)
            return True
        _refuse(found, [text for text in batch.texts if not found.knows(text.hash)], exc)
    except Transient as exc:
        if not _is_to_blame(runtime, batch, unknown, exc):
            write.write(runtime, batch, found)
            _give_back(runtime, batch, exc, blamed=isinstance(exc, ProviderFailed))
            return not isinstance(exc, NotGranted | Stopped)
        _refuse(found, unknown, exc)
    if batch.troubled and (unknown or batch.probes):
        _go_on(runtime, batch)
    write.write(runtime, batch, found)
    return True


def _outage(runtime: Runtime, batch: Batch) -> Transient | None:
    """What the provider fails with when it is asked for a harmless text: then no other text is to blame."""
    try:
        answer = runtime.provider.probe(batch.model, batch.dimensions)
    except (Permanent, DimensionsDiffer):  # an answer, if a bad one, and the batch will get it as well
        return None
    except Transient as exc:
        return exc
    spend.record(runtime, batch, [], answer.prompt_tokens)
    return None


def _concerns_all(runtime: Runtime, batch: Batch, error: DbragError) -> bool:
    """Whether a harmless text meets the same error: one odd answer must not fail a whole batch."""
    try:
        answer = runtime.provider.probe(batch.model, batch.dimensions)
    except DbragError as exc:
        return type(exc) is type(error)
    spend.record(runtime, batch, [], answer.prompt_tokens)
    return False


def _is_to_blame(runtime: Runtime, batch: Batch, asked: Sequence[Text], error: Transient) -> bool:
    """Whether the provider fails with this one text and with no other, for long enough."""
    return (
        isinstance(error, ProviderFailed)
        and len(asked) == 1
        and asked[0].deferrals >= pack.GIVEN_UP_AFTER
        and claim.is_old(runtime, asked[0])
        and (batch.probes or _outage(runtime, batch) is None)
    )


def _give_back(runtime: Runtime, batch: Batch, error: Transient, *, blamed: bool) -> None:
    log.warning("the provider gave nothing", code=error.code, error=error.detail, claim_id=str(batch.claim_id))
    paused_until = None
    if isinstance(error, NotGranted | Stopped):
        if batch.probes:  # its harmless text was answered
            _go_on(runtime, batch)
    else:
        with runtime.pool.connection() as conn:
            paused_until = pauses.begin(conn, batch.model, error, probes=batch.probes, blamed=blamed)
    with runtime.pool.connection() as conn:
        claim.give_back(conn, batch, error, paused_until, blamed=blamed)


def _go_on(runtime: Runtime, batch: Batch) -> None:
    """The provider answers again: whoever waited for that goes on at once."""
    with runtime.pool.connection() as conn:
        pauses.end(conn, batch.model)
        if batch.probes:
            holds.end(conn, {text.job_id for text in batch.texts})
    if batch.probes:
        for queue in Queue:
            runtime.wake(queue)


def _await_grant(runtime: Runtime, model: str, tokens: int) -> bool:
    """Waits a little for the provider's limits; says whether it did.

    Raises: NotGranted where it would take long; Stopped where the worker is about to end.
    """
    patience_s = left_s = GRANT_SHARE * runtime.settings.lease_s
    while tokens and (wait_s := runtime.governor.take(model, tokens)):
        left_s -= wait_s
        if left_s < 0:
            raise NotGranted("The embedding provider's limits are used up for now.", retry_after_s=wait_s)
        _sleep(runtime, wait_s)
    return left_s < patience_s


def _sleep(runtime: Runtime, seconds: float) -> None:
    end = monotonic() + seconds
    while (left_s := end - monotonic()) > 0:
        if runtime.draining():
            raise Stopped("The worker is about to end.")
        sleep(min(left_s, LOOK_AGAIN_S))


def _ask(runtime: Runtime, batch: Batch, found: Found, asked: Sequence[Text]) -> None:
    """Asks for texts; what is paid is recorded and cached as soon as it is there.

    No transaction is open while the provider works.
    """
    wanted = partial(claim.still_wanted, runtime, batch, asked)
    texts = [text.text for text in asked]
    for positions, answer in runtime.provider.embed_each(texts, batch.model, batch.dimensions, wanted):
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
