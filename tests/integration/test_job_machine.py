"""Jobs and documents under any sequence of what workers, relays and owners do, with workers that come too late."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

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

from dbrag.accounts import budgets, keys
from dbrag.database.pool import connect
from dbrag.documents import blocks, collections, documents, endings
from dbrag.documents.accept import accept
from dbrag.documents.model import CollectionWish, Submission
from dbrag.documents.prepare import Prepared, prepare
from dbrag.documents.split import Span
from dbrag.embedding import write
from dbrag.embedding.claim import claim, give_back
from dbrag.embedding.failures import ProviderFailed, RateLimited
from dbrag.embedding.model import Batch, Found
from dbrag.errors import Conflict, NotFound, Permanent, Transient
from dbrag.jobs import claims, jobs, waits
from dbrag.jobs.claims import ClaimLost
from dbrag.jobs.model import Claim, Kind, Queue
from dbrag.jobs.relay import Relay
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from tests import invariants
from tests.integration.job_world import Sent, Story, World
from tests.integration.machines import bounds, own_database
from tests.provider.vectors import vector_of

NAMES = st.sampled_from("abc")
# Documents share paragraphs, so that versions keep chunks of those before them; what is `unreadable` cannot be split.
TEXTS = st.sampled_from(["one", "two\n\none", "one\n\ntwo\n\nthree", "two\n\none\n\none", "unreadable", "three"])
SUBMISSIONS = st.dictionaries(NAMES, TEXTS, min_size=1)
DUTIES = ["end_cancelled", "free_expired_jobs", "fail_exhausted_jobs", "fail_stranded_jobs", "free_expired_pending"]
WORK = [
    "split_all",
    "split_all",
    "split_all",
    "split_block",
    "read_block",
    "store_block",
    "adopt",
    "end_slice",
    "renew",
]
WORK += ["retry_later", "fail"]
STEPS = st.lists(st.sampled_from(WORK), max_size=3)
EMBED = ["write all", "write all", "write some", "refuse one", "wait", "fail", "die"]
CLOCK = {
    "leases of jobs end": "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL",
    "leases of texts end": "UPDATE pending SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL",
    "jobs are due": "UPDATE jobs SET reason_until = now() WHERE reason_until > now()",
    "texts are due": "UPDATE pending SET not_before = now() WHERE not_before > now()",
    "attempts are used up": "UPDATE jobs SET attempt = 5 WHERE finished_at IS NULL AND attempt > 0",
}


@dataclass(slots=True)
class Worker:
    """One that has claimed a job, and goes on believing that."""

    claim: Claim
    prepared: list[Prepared] = field(default_factory=list[Prepared])
    failures: dict[int, dict[str, str]] = field(default_factory=dict[int, dict[str, str]])


def paragraphs(text: str, _markdown: bool, _spent_s: float) -> list[Span]:
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

    @initialize(target=accepted, texts=SUBMISSIONS)
    def begin(self, texts: dict[str, str]) -> UUID:
        self.settings = self.runtime.settings
        self.opened = connect(self.settings, autocommit=True)
        self.conn = self.opened.__enter__()
        self.tenant = str(uuid7())
        tenant_id = keys.authenticate(self.conn, keys.create(self.conn, self.tenant, "test", [])).tenant_id
        wish = CollectionWish(dimensions=8, max_tokens=20, overlap_tokens=0)
        collection = collections.put(self.conn, tenant_id, "own", wish, self.settings)[0]
        self.world = World(self.conn, collection)
        self.relay = Relay(self.runtime.pool, self.runtime.broker, self.settings)
        return self.submit(texts, Queue.DEFAULT)

    # What an owner does

    @rule(target=accepted, texts=SUBMISSIONS, queue=st.sampled_from(Queue))
    def submit(self, texts: dict[str, str], queue: Queue) -> UUID:
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
    def cancel(self, job_id: UUID) -> None:
        try:
            jobs.cancel(self.conn, self.world.collection.tenant_id, job_id)
        except Conflict:
            assert self.world.jobs[job_id].ended_as
        else:
            self.world.jobs[job_id].cancelled = True

    @precondition(lambda self: any(story.may_be_retried for story in self.world.jobs.values()))
    @rule()
    def retry(self) -> None:
        """All that failed; whose documents are gone by now is told."""
        for job_id, story in self.world.jobs.items():
            if story.may_be_retried:
                with suppress(Conflict), self.conn.transaction():
                    jobs.retry(self.conn, self.world.collection.tenant_id, job_id)
                    story.ended_as, story.retries = None, story.retries + 1

    @rule(job_id=accepted)
    def retry_what_is_not_over(self, job_id: UUID) -> None:
        if not self.world.jobs[job_id].may_be_retried:
            with pytest.raises(Conflict), self.conn.transaction():
                jobs.retry(self.conn, self.world.collection.tenant_id, job_id)

    # What workers do; each of them keeps its claim, and may come back with it at any later time

    @rule(target=workers, job_id=accepted, steps=STEPS)
    def work(self, job_id: UUID, steps: list[str]) -> object:
        taken = claims.take(self.conn, job_id, self.settings)
        if not taken:
            return multiple()
        worker = Worker(taken)
        for step in steps:
            self.go_on(worker, step)
        return worker

    @rule(worker=workers, step=st.sampled_from(WORK))
    def go_on(self, worker: Worker, step: str) -> None:
        """Whoever has lost the claim learns that, or does nothing."""
        claim_id = "SELECT claim_id FROM jobs WHERE id = %s"
        holds = self.conn.execute(claim_id, [worker.claim.id]).fetchone() == (worker.claim.claim_id,)
        before = self.world.fingerprint()
        lost = False
        try:
            with self.conn.transaction():
                getattr(self, f"_{step}")(worker)
        except ClaimLost:
            lost = True
        assert not (holds and lost)
        if not holds:
            assert self.world.fingerprint() == before, "a worker without a claim has written something"

    @rule(target=workers, worker=workers, steps=st.lists(st.sampled_from(["split_block", "adopt"]), max_size=3))
    def take_over(self, worker: Worker, steps: list[str]) -> object:
        """Another worker goes on, and the one before comes back and tries everything."""
        self.pass_time("leases of jobs end")
        self.do_duty("free_expired_jobs")
        new = self.work(worker.claim.id, steps)
        if isinstance(new, Worker):
            for late in sorted(set(WORK)):
                self.go_on(worker, late)
        return new

    def _read_block(self, worker: Worker) -> None:
        worker.prepared, worker.failures = [], {}
        for source in blocks.next_block(self.conn, worker.claim, max_items=2, max_bytes=1000):
            try:
                worker.prepared.append(prepare(source, self.runtime.extractor, paragraphs))
            except Permanent as exc:
                worker.failures[source.version_id] = {"code": exc.code, "detail": exc.detail}

    def _store_block(self, worker: Worker) -> None:
        prepared, failures = worker.prepared, worker.failures
        worker.prepared, worker.failures = [], {}
        if prepared or failures:
            blocks.store(self.conn, worker.claim, self.world.collection, prepared, failures, self.settings)

    def _split_block(self, worker: Worker) -> None:
        self._read_block(worker)
        self._store_block(worker)

    def _split_all(self, worker: Worker) -> None:
        self._adopt(worker)
        for _ in range(2):
            self._split_block(worker)
        self._end_slice(worker)

    def _adopt(self, worker: Worker) -> None:
        if not worker.prepared:
            blocks.adopt_unchanged(self.conn, worker.claim, self.settings, 10)

    def _end_slice(self, worker: Worker) -> None:
        if blocks.next_block(self.conn, worker.claim, max_items=1, max_bytes=1):
            claims.hand_back(self.conn, worker.claim)
        else:
            claims.release(self.conn, worker.claim)

    def _renew(self, worker: Worker) -> None:
        claims.renew(self.conn, worker.claim, self.settings)

    def _retry_later(self, worker: Worker) -> None:
        if not claims.retry_later(self.conn, worker.claim, Transient("passes"), self.settings):
            endings.fail(self.conn, worker.claim.id, Permanent("late", code="late"), worker.claim.claim_id)

    def _fail(self, worker: Worker) -> None:
        endings.fail(self.conn, worker.claim.id, Permanent("late", code="late"), worker.claim.claim_id)

    # Who embeds

    @rule(target=batches, texts=st.integers(1, 4), how=st.sampled_from(EMBED))
    def embed(self, texts: int, how: str) -> object:
        with self.conn.transaction():
            batch = claim(self.conn, self.settings.model_copy(update={"request_inputs": texts}))
        if not (batch and batch.texts):
            return multiple()
        self.embed_late(batch, how)
        return batch

    @rule(batch=batches, how=st.sampled_from(EMBED))
    def embed_late(self, batch: Batch, how: str) -> None:
        """Whoever has lost its texts, or has written them already, changes nothing."""
        stale = not self.conn.execute("SELECT FROM pending WHERE claim_id = %s", [batch.claim_id]).fetchall()
        before = self.world.fingerprint()
        if how in ("wait", "fail"):
            with self.conn.transaction():
                give_back(self.conn, batch, RateLimited("wait") if how == "wait" else ProviderFailed("away"))
        elif how != "die":
            write.write(self.runtime, batch, self._found(batch, how))
        assert not stale or self.world.fingerprint() == before, "who has lost its texts has written something"

    @rule(target=batches, texts=st.integers(1, 4), how=st.sampled_from(["die", "write some", "wait"]))
    def take_texts_over(self, texts: int, how: str) -> object:
        """Others embed the texts of one who stood still, and who comes back then and tries everything."""
        old = self.embed(texts, "die")
        if not isinstance(old, Batch):
            return multiple()
        self.pass_time("leases of texts end")
        self.do_duty("free_expired_pending")
        new = self.embed(texts, how)
        for late in sorted(set(EMBED)):
            self.embed_late(old, late)
        return new

    def _found(self, batch: Batch, how: str) -> Found:
        texts = batch.texts[: len(batch.texts) // 2 + 1] if how == "write some" else batch.texts
        found = Found({text.hash: vector_of(text.text, 8) for text in texts})
        found.paid |= found.vectors.keys()
        if how == "refuse one":
            del found.vectors[texts[0].hash]
            found.errors[texts[0].hash] = {"code": "refused", "detail": "the provider does not like it"}
        return found

    # What relays and time do

    @rule(is_spent=st.booleans(), relay_is_late=st.booleans())
    def spend_the_budget(self, is_spent: bool, relay_is_late: bool) -> None:
        budgets.put(self.conn, self.tenant, {"day": Decimal(0) if is_spent else None})
        if not relay_is_late:
            waits.end_for_budget(self.conn, self.settings)
            waits.hold_for_budget(self.conn, self.settings)
        if is_spent:
            assert self.embed(4, "die") == multiple(), "a text was claimed though the budget is spent"

    @rule(duty=st.sampled_from(DUTIES))
    def do_duty(self, duty: str) -> None:
        getattr(self.relay, duty)()

    @rule(target=relays)
    def look_for_cancelled(self) -> object:
        found = self.conn.execute("SELECT id FROM jobs WHERE status = 'cancelling'").fetchall()
        return [row[0] for row in found] if found else multiple()

    @rule(job_ids=consumes(relays))
    def end_cancelled_late(self, job_ids: list[UUID]) -> None:
        """A relay that was stopped between the two."""
        for job_id in job_ids:
            with self.conn.transaction():
                endings.cancel(self.conn, job_id)

    @rule(what=st.sampled_from(sorted(CLOCK)))
    def pass_time(self, what: str) -> None:
        self.conn.execute(CLOCK[what].encode())

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
                if not self._drain():
                    break
            self.world.check()
            for sentence, question in (invariants.JOBS | invariants.STORED).items():
                assert self.conn.execute(question).fetchall() == [], sentence
        finally:
            self.opened.__exit__(None, None, None)

    def _drain(self) -> bool:
        for what in CLOCK.keys() - {"attempts are used up"}:
            self.pass_time(what)
        for duty in DUTIES:
            self.do_duty(duty)
        self.spend_the_budget(is_spent=False, relay_is_late=False)
        going = self.conn.execute("SELECT id FROM jobs WHERE finished_at IS NULL ORDER BY id").fetchall()
        for (job_id,) in going:
            self.work(job_id, ["split_all"])
        for _ in range(50):
            if not isinstance(self.embed(4, "write all"), Batch):
                break
        return bool(going)


@pytest.fixture(scope="module")
def machine(settings: Settings) -> Iterator[type[Jobs]]:
    with own_database(settings, "jobs_machine") as runtime:
        yield type("OwnJobs", (Jobs,), {"runtime": runtime})


def test_whatever_happens_in_whatever_order_every_job_ends_once_and_its_documents_are_right(
    machine: type[Jobs],
) -> None:
    run_state_machine_as_test(machine, settings=bounds(max_examples=20, steps=40))
