"""A provider that gives nothing is left alone by all workers, and one request finds out that it is back."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from dbrag.database.pool import Connection
from dbrag.documents.model import Collection
from dbrag.embedding import claim, embed, pauses
from dbrag.embedding.failures import KeyRefused, ProviderFailed
from dbrag.embedding.model import Batch
from dbrag.embedding.provider import HARMLESS
from dbrag.embedding.texts import text_hash
from dbrag.jobs import jobs
from dbrag.jobs.model import Job, Status
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from tests.integration import pending_texts
from tests.provider.process import ProviderServer

MODEL = "text-embedding-3-small"
PATIENCE_S = 20


@pytest.fixture(autouse=True)
def nobody_else(conn: Connection, provider: ProviderServer) -> Iterator[None]:
    pending_texts.clear(conn)
    provider.script()
    provider.forget()
    yield
    provider.script()
    pending_texts.clear(conn)


def row(conn: Connection) -> dict[str, Any] | None:
    found = conn.execute(
        "SELECT failures, extract(epoch FROM paused_until - now())::float8, reason_code FROM pauses WHERE model = %s",
        [MODEL],
    ).fetchone()
    return dict(zip(("failures", "left_s", "code"), found, strict=True)) if found else None


def open_for(conn: Connection, seconds: float, failures: int = pauses.OPENS_AFTER) -> None:
    conn.execute(
        "INSERT INTO pauses VALUES (%s, %s, now() + make_interval(secs => %s), 'provider_failed', 'scripted')",
        [MODEL, failures, seconds],
    )


def take(conn: Connection, settings: Settings) -> Batch | None:
    with conn.transaction():
        return claim.claim(conn, settings)


def job(conn: Connection, collection: Collection, job_id: UUID) -> Job:
    return jobs.get(conn, collection.tenant_id, job_id)


def embed_until(runtime: Runtime, done: Callable[[], bool]) -> None:
    """As workers that are woken again and again do."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline
        if not embed.embed_pending(runtime):
            time.sleep(0.02)


def test_an_outage_is_waited_for_by_all_and_asked_by_one_now_and_then(
    conn: Connection, own_collection: Collection, runtime: Runtime, provider: ProviderServer
) -> None:
    provider.script(always={"status": 503})
    waiting = [pending_texts.put(conn, own_collection, 2048) for _ in range(3)]

    def is_open() -> bool:
        now = row(conn)
        return now is not None and now["failures"] >= pauses.OPENS_AFTER

    embed_until(runtime, is_open)
    provider.forget()
    end = time.monotonic() + 5
    embed_until(runtime, lambda: time.monotonic() > end)
    assert provider.stats()["requests"] <= 3  # after 1 and 2 s, and after 4 s, ± 25 %
    held = [job(conn, own_collection, job_id) for job_id in waiting]
    assert {(one.status, one.reason_code) for one in held} == {(Status.HELD, "provider_failed")}
    assert all(one.reason_until for one in held)
    conn.execute("UPDATE pauses SET paused_until = now()")
    provider.script()
    provider.forget()
    embed_until(runtime, lambda: all(job(conn, own_collection, one).status is Status.SUCCEEDED for one in waiting))
    assert row(conn) is None
    answered = provider.stats()["answered"]
    assert answered.pop(text_hash(HARMLESS).hex()) == 1
    assert (len(answered), max(answered.values())) == (3 * 2048, 1)


def test_one_claim_probes_with_little_and_the_others_wait_for_it(
    conn: Connection, own_collection: Collection, settings: Settings
) -> None:
    pending_texts.put(conn, own_collection, 5000)
    open_for(conn, 60)
    assert take(conn, settings) is None
    conn.execute("UPDATE pauses SET paused_until = now()")
    first = take(conn, settings)
    assert first
    assert first.probes
    assert len(first.texts) == pauses.PROBE_INPUTS
    assert take(conn, settings) is None
    conn.execute("UPDATE pauses SET paused_until = now()")  # the prober died, its time is over
    second = take(conn, settings)
    assert second
    assert second.probes


def test_a_probe_that_succeeds_lets_all_go_on_at_once(
    conn: Connection, own_collection: Collection, runtime: Runtime, settings: Settings
) -> None:
    job_id = pending_texts.put(conn, own_collection, 3000)
    conn.execute(
        "UPDATE jobs SET status = 'held', reason_code = 'provider_failed', reason_detail = 'x' WHERE id = %s", [job_id]
    )
    open_for(conn, 0)
    assert embed.embed_pending(runtime) == 3000
    assert job(conn, own_collection, job_id).status is Status.SUCCEEDED
    assert row(conn) is None


def test_only_the_probe_makes_a_pause_longer(conn: Connection) -> None:
    open_for(conn, 5)
    pauses.begin(conn, MODEL, ProviderFailed("of a request that was under way"), probes=False, blamed=True)
    now = row(conn)
    assert now
    assert (now["failures"], round(now["left_s"])) == (pauses.OPENS_AFTER, 5)
    pauses.begin(conn, MODEL, KeyRefused("of the probe"), probes=True, blamed=False)
    now = row(conn)
    assert now
    assert (now["failures"], now["code"], round(now["left_s"])) == (pauses.OPENS_AFTER + 1, "key_refused", 20)


def test_failures_count_only_in_a_row(
    conn: Connection, own_collection: Collection, runtime: Runtime, provider: ProviderServer
) -> None:
    pending_texts.put(conn, own_collection, 1)
    provider.script(always={"status": 500})
    embed.embed_pending(runtime)
    assert row(conn) == {"failures": 1, "left_s": pytest.approx(0, abs=3), "code": "provider_failed"}
    provider.script()
    job_id = pending_texts.put(conn, own_collection, 1)
    embed_until(runtime, lambda: job(conn, own_collection, job_id).status is Status.SUCCEEDED)
    assert row(conn) is None


@pytest.mark.parametrize(
    ("script", "code", "left_s"),
    [
        ({"revoked": True}, "key_refused", 10),
        ({"always": {"status": 429, "code": "insufficient_quota"}}, "out_of_quota", 10),
        ({"always": {"status": 429, "retry_after": 0.5}}, "rate_limited", 0.5),
    ],
    ids=["key", "quota", "rate"],
)
def test_what_concerns_all_texts_pauses_the_model_at_once(
    conn: Connection,
    own_collection: Collection,
    runtime: Runtime,
    provider: ProviderServer,
    script: dict[str, Any],
    code: str,
    left_s: float,
) -> None:
    job_id = pending_texts.put(conn, own_collection, 5)
    provider.script(**script)
    embed.embed_pending(runtime)
    now = row(conn)
    assert now
    assert (now["code"], now["left_s"]) == (code, pytest.approx(left_s, abs=0.5))
    assert (job(conn, own_collection, job_id).status, job(conn, own_collection, job_id).reason_code) == ("held", code)
    alone = conn.execute("SELECT DISTINCT not_before, deferrals FROM pending WHERE job_id = %s", [job_id]).fetchall()
    assert alone == [(None, 0)]
    provider.script()
    conn.execute("UPDATE pauses SET paused_until = least(paused_until, now() + interval '0.5 s')")
    embed_until(runtime, lambda: job(conn, own_collection, job_id).status is Status.SUCCEEDED)
    assert row(conn) is None


class TestATextThatTheProviderCannotAnswer:
    NAME = "a text that breaks the server"

    @pytest.fixture
    def job_id(self, conn: Connection, own_collection: Collection) -> UUID:
        job_id = pending_texts.put(conn, own_collection, 1, name=f"{self.NAME} {uuid7()}")
        conn.execute("UPDATE pending SET deferrals = 10 WHERE job_id = %s", [job_id])
        conn.execute("UPDATE jobs SET created_at = now() - interval '16 minutes' WHERE id = %s", [job_id])
        return job_id

    def test_fails_alone_in_the_end(
        self,
        conn: Connection,
        own_collection: Collection,
        runtime: Runtime,
        provider: ProviderServer,
        job_id: UUID,
    ) -> None:
        provider.script(fail_containing=self.NAME)
        embed.embed_pending(runtime)
        failed = job(conn, own_collection, job_id)
        assert (failed.status, failed.error and failed.error["code"]) == (Status.FAILED, "provider_failed")
        assert failed.error
        assert "The server had an error" in failed.error["detail"]
        assert row(conn) is None

    def test_waits_on_while_its_job_is_young(
        self, conn: Connection, own_collection: Collection, runtime: Runtime, provider: ProviderServer, job_id: UUID
    ) -> None:
        conn.execute("UPDATE jobs SET created_at = now() WHERE id = %s", [job_id])
        provider.script(fail_containing=self.NAME)
        embed.embed_pending(runtime)
        assert job(conn, own_collection, job_id).status is Status.HELD

    def test_waits_on_while_the_provider_answers_nothing_else_either(
        self,
        conn: Connection,
        own_collection: Collection,
        runtime: Runtime,
        provider: ProviderServer,
        job_id: UUID,
    ) -> None:
        provider.script(always={"status": 500})
        embed.embed_pending(runtime)
        assert job(conn, own_collection, job_id).status is Status.HELD

    def test_stops_nobody_else_for_long(
        self,
        conn: Connection,
        own_collection: Collection,
        runtime: Runtime,
        provider: ProviderServer,
        job_id: UUID,
    ) -> None:
        conn.execute("UPDATE pending SET deferrals = 0 WHERE job_id = %s", [job_id])
        provider.script(fail_containing=self.NAME)
        open_for(conn, 0)
        other = pending_texts.put(conn, own_collection, 5000)
        embed_until(runtime, lambda: job(conn, own_collection, other).chunks_done > 2500)


def test_a_probe_leaves_texts_that_failed_of_themselves_for_later(
    conn: Connection, own_collection: Collection, runtime: Runtime, provider: ProviderServer, settings: Settings
) -> None:
    bad = pending_texts.put(conn, own_collection, 1, name=f"bad {uuid7()}")
    provider.script(fail_containing="bad ")
    open_for(conn, 0)
    embed.embed_pending(runtime)
    good = pending_texts.put(conn, own_collection, 1)
    conn.execute("UPDATE pauses SET paused_until = now()")
    batch = take(conn, settings)
    assert batch
    assert batch.probes
    assert {text.job_id for text in batch.texts} == {good} != {bad}
