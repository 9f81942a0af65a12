"""Jobs and documents under any sequence of what workers, relays and owners do, with workers that come too late."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from uuid_utils.compat import uuid7

from dbrag.accounts import keys
from dbrag.database.pool import connect
from dbrag.documents import blocks, collections, documents, endings
from dbrag.documents.accept import accept
from dbrag.documents.attempt import AttemptFailed, attempt
from dbrag.documents.model import CollectionWish, Submission
from dbrag.documents.prepare import Prepared, prepare
from dbrag.documents.split import Span
from dbrag.embedding import write
from dbrag.embedding.claim import claim, give_back
from dbrag.embedding.failures import ProviderFailed, RateLimited
from dbrag.embedding.model import Batch, Found
from dbrag.errors import Conflict, NotFound, Permanent, Transient
from dbrag.jobs import claims, jobs
from dbrag.jobs.claims import ClaimLost
from dbrag.jobs.model import Claim, Kind, Queue
from dbrag.jobs.relay import Relay
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from tests.integration.job_world import FINAL, Sent, Story, World
from tests.integration.machines import bounds, own_database
from tests.provider.vectors import vector_of
from tests.running import NOTHING

NAMES = st.sampled_from("abc")
# Documents share paragraphs, so that versions keep chunks of those before them; what is `unreadable` cannot be split.
PARAGRAPHS = ["one", "two", "three", "one"]
TEXTS = st.sampled_from(["one", "two\n\none", "one\n\ntwo\n\nthree", "two\n\none\n\none", "unreadable", "three"])
DUTIES = ["end_cancelled", "free_expired_jobs", "fail_exhausted_jobs", "fail_stranded_jobs", "free_expired_pending"]
EXPIRE_JOBS = "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL"
EXPIRE_TEXTS = "UPDATE pending SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL"


@dataclass(slots=True)
class Worker:
    """One that has claimed a job, and goes on believing that."""

    claim: Claim
    prepared: list[Prepared] = field(default_factory=list[Prepared])
    failures: dict[int, dict[str, str]] = field(default_factory=dict[int, dict[str, str]])


def paragraphs(text: str, _markdown: bool) -> list[Span]:
    if text == "unreadable":
        raise Permanent("nobody can read that", code="unreadable")
    spans: list[Span] = []
    for part in text.split("\n\n"):
        start = spans[-1].end + 2 if spans else 0
        spans.append(Span(start, start + len(part), 1))
    return spans


class Jobs(RuleBasedStateMachine):
    """Several workers, two relays and an owner; each step is one transaction, or a few, of one of them."""

    runtime: Runtime
    accepted = Bundle("accepted")
    workers = Bundle("workers")
    batches = Bundle("batches")
    relays = Bundle("relays")

    @initialize()
    def begin(self) -> None:
        self.settings = self.runtime.settings
        self.opened = connect(self.settings, autocommit=True)
        self.conn = self.opened.__enter__()
        tenant_id = keys.authenticate(self.conn, keys.create(self.conn, str(uuid7()), "test", [])).tenant_id
        wish = CollectionWish(dimensions=8, max_tokens=20, overlap_tokens=0)
        collection = collections.put(self.conn, tenant_id, "own", wish, self.settings)[0]
        self.world = World(self.conn, collection)
        self.relay = Relay(self.runtime.pool, self.runtime.broker, self.settings)

    # What an owner does

    @rule(target=accepted, texts=st.dictionaries(NAMES, TEXTS, min_size=1), queue=st.sampled_from(Queue))
    def submit(self, texts: dict[str, str], queue: Queue) -> object:
        items = [Submission(name, text=text) for name, text in texts.items()]
        with self.conn.transaction():
            job = accept(self.conn, self.world.collection, Kind.INGEST_DOCUMENT, queue, items)
        versions = "SELECT item_index, document_id, version, text FROM document_versions WHERE job_id = %s"
        for index, *version in self.conn.execute(versions, [job.id]).fetchall():
            self.world.sent[job.id, index] = Sent(*version)
        self.world.jobs[job.id] = Story()
        return job.id

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        ids = "SELECT id FROM documents WHERE collection_id = %s AND external_id = %s"
        gone = self.conn.execute(ids, [self.world.collection.id, name]).fetchall()
        with suppress(NotFound), self.conn.transaction():
            documents.delete(self.conn, self.world.collection, name)
        self.world.deleted |= {row[0] for row in gone}

    @rule(job_id=accepted)
    def cancel(self, job_id: object) -> None:
        try:
            jobs.cancel(self.conn, self.world.collection.tenant_id, job_id)
        except Conflict:
            assert self.world.jobs[job_id].ended_as
        else:
            self.world.jobs[job_id].cancelled = True

    @rule(job_id=accepted)
    def retry(self, job_id: object) -> None:
        story = self.world.jobs[job_id]
        try:
            with self.conn.transaction():
                jobs.retry(self.conn, self.world.collection.tenant_id, job_id)
        except Conflict:
            return
        assert story.ended_as in ("failed", "completed_with_errors")
        story.ended_as, story.retries = None, story.retries + 1

    # What workers do

    @rule(target=workers, job_id=accepted)
    def take(self, job_id: object) -> object:
        taken = claims.take(self.conn, job_id, self.settings)
        return Worker(taken) if taken else multiple()

    @contextmanager
    def as_claimant(self, worker: Worker) -> Generator[None]:
        """Whoever has lost the claim learns that, or does nothing."""
        claim_id = "SELECT claim_id FROM jobs WHERE id = %s"
        holds = self.conn.execute(claim_id, [worker.claim.id]).fetchone() == (worker.claim.claim_id,)
        before = self.world.fingerprint()
        lost = False
        try:
            with self.conn.transaction():
                yield
        except ClaimLost:
            lost = True
        assert not (holds and lost)
        if not holds:
            assert self.world.fingerprint() == before, "a worker without a claim has written something"

    @rule(worker=workers, items=st.integers(1, 2))
    def read_block(self, worker: Worker, items: int) -> None:
        worker.prepared, worker.failures = [], {}
        for source in blocks.next_block(self.conn, worker.claim, max_items=items, max_bytes=1000):
            try:
                worker.prepared.append(prepare(source, self.runtime.extractor, paragraphs))
            except Permanent as exc:
                worker.failures[source.version_id] = {"code": exc.code, "detail": exc.detail}

    @rule(worker=workers)
    def store_block(self, worker: Worker) -> None:
        with self.as_claimant(worker):
            if worker.prepared or worker.failures:
                collection = self.world.collection
                blocks.store(self.conn, worker.claim, collection, worker.prepared, worker.failures, self.settings)
        worker.prepared, worker.failures = [], {}

    @rule(worker=workers)
    def adopt(self, worker: Worker) -> None:
        if not worker.prepared:
            with self.as_claimant(worker):
                blocks.adopt_unchanged(self.conn, worker.claim, self.settings, 10)

    @rule(worker=workers)
    def end_slice(self, worker: Worker) -> None:
        with self.as_claimant(worker):
            if blocks.next_block(self.conn, worker.claim, max_items=1, max_bytes=1):
                claims.hand_back(self.conn, worker.claim)
            else:
                claims.release(self.conn, worker.claim)

    @rule(worker=workers)
    def renew(self, worker: Worker) -> None:
        with self.as_claimant(worker):
            claims.renew(self.conn, worker.claim, self.settings)

    @rule(worker=workers, error=st.sampled_from([Transient("passes"), Permanent("stays", code="stays")]))
    def fail(self, worker: Worker, error: Transient | Permanent) -> None:
        with self.as_claimant(worker), suppress(AttemptFailed), attempt(self.runtime, worker.claim):
            raise error

    @rule(worker=workers)
    def fail_late(self, worker: Worker) -> None:
        """One that was stopped after it had decided to fail the job."""
        with self.as_claimant(worker):
            endings.fail(self.conn, worker.claim.id, Permanent("late", code="late"), worker.claim.claim_id)

    # Who embeds

    @rule(target=batches, texts=st.integers(1, 4))
    def claim_texts(self, texts: int) -> object:
        with self.conn.transaction():
            batch = claim(self.conn, self.settings.model_copy(update={"request_inputs": texts}))
        return batch if batch and batch.texts else multiple()

    @rule(batch=batches, refused=st.booleans(), part=st.booleans())
    def write(self, batch: Batch, refused: bool, part: bool) -> None:
        stale = not self.conn.execute("SELECT FROM pending WHERE claim_id = %s", [batch.claim_id]).fetchall()
        before = self.world.fingerprint()
        texts = batch.texts[: len(batch.texts) // 2 + 1] if part else batch.texts
        found = Found({text.hash: vector_of(text.text, 8) for text in texts})
        found.paid |= found.vectors.keys()
        if refused:
            del found.vectors[texts[0].hash]
            found.errors[texts[0].hash] = {"code": "refused", "detail": "the provider does not like it"}
        write.write(self.runtime, batch, found)
        assert not stale or self.world.fingerprint() == before, "who has lost its texts has written something"

    @rule(batch=batches, error=st.sampled_from([RateLimited("wait"), ProviderFailed("away")]))
    def give_back(self, batch: Batch, error: Transient) -> None:
        with self.conn.transaction():
            give_back(self.conn, batch, error)

    # What relays and time do

    @rule(duty=st.sampled_from(DUTIES))
    def do_duty(self, duty: str) -> None:
        getattr(self.relay, duty)()

    @rule(target=relays)
    def look_for_cancelled(self) -> object:
        found = self.conn.execute("SELECT id FROM jobs WHERE status = 'cancelling'").fetchall()
        return [row[0] for row in found] if found else multiple()

    @rule(job_ids=consumes(relays))
    def end_cancelled_late(self, job_ids: list[object]) -> None:
        """A relay that was stopped between the two."""
        for job_id in job_ids:
            with self.conn.transaction():
                endings.cancel(self.conn, job_id)

    @rule()
    def expire_jobs(self) -> None:
        self.conn.execute(EXPIRE_JOBS)

    @rule()
    def expire_texts(self) -> None:
        self.conn.execute(EXPIRE_TEXTS)

    @rule()
    def pass_time(self) -> None:
        self.conn.execute("UPDATE jobs SET reason_until = now() WHERE reason_until > now()")
        self.conn.execute("UPDATE pending SET not_before = now() WHERE not_before > now()")

    @rule(job_id=accepted)
    def use_up_attempts(self, job_id: object) -> None:
        self.conn.execute("UPDATE jobs SET attempt = 5 WHERE id = %s AND finished_at IS NULL AND attempt > 0", [job_id])

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def all_is_well(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        """Everything that is under way comes to its end by itself."""
        if not hasattr(self, "world"):
            return
        try:
            for _ in range(30):
                if not self._go_on():
                    break
            self.world.check()
            for question in NOTHING:
                assert self.conn.execute(question.encode()).fetchall() == [], question
        finally:
            self.opened.__exit__(None, None, None)

    def _go_on(self) -> bool:
        for step in (self.pass_time, self.expire_jobs, self.expire_texts):
            step()
        for duty in DUTIES:
            self.do_duty(duty)
        going = self.conn.execute("SELECT id FROM jobs WHERE status <> ALL(%s) ORDER BY id", [list(FINAL)]).fetchall()
        for (job_id,) in going:
            taken = claims.take(self.conn, job_id, self.settings)
            if taken:
                self._split(Worker(taken))
        while (batch := self.claim_texts(4)) and isinstance(batch, Batch):
            self.write(batch, refused=False, part=False)
        return bool(going)

    def _split(self, worker: Worker) -> None:
        self.adopt(worker)
        for _ in range(2):
            self.read_block(worker, 5)
            self.store_block(worker)
        self.end_slice(worker)


@pytest.fixture(scope="module")
def machine(settings: Settings) -> Iterator[type[Jobs]]:
    with own_database(settings, "jobs_machine") as runtime:
        yield type("OwnJobs", (Jobs,), {"runtime": runtime})


def test_whatever_happens_in_whatever_order_every_job_ends_once_and_its_documents_are_right(
    machine: type[Jobs],
) -> None:
    run_state_machine_as_test(machine, settings=bounds(max_examples=30, steps=40))
