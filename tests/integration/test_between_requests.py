"""What happens between two requests to the provider: cancelled texts are dropped, and a worker that ends stops."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from dbrag.database.pool import Connection
from dbrag.documents import endings
from dbrag.documents.model import Collection
from dbrag.embedding import claim, embed
from dbrag.embedding.texts import text_hash
from dbrag.jobs import jobs
from dbrag.jobs.model import Status
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from tests.integration import pending_texts
from tests.provider.process import ProviderServer

MODEL = "text-embedding-3-small"


@pytest.fixture(autouse=True)
def nobody_else(conn: Connection, provider: ProviderServer) -> Iterator[None]:
    pending_texts.clear(conn)
    provider.script()
    provider.forget()
    yield
    provider.script()
    pending_texts.clear(conn)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def cancel(conn: Connection, collection: Collection, job_id: UUID) -> None:
    with conn.transaction():
        jobs.cancel(conn, collection.tenant_id, job_id)


def answered(provider: ProviderServer, name: str, count: int) -> int:
    known = provider.stats()["answered"]
    return sum(text_hash(f"{name} {i}").hex() in known for i in range(1, count + 1))


@pytest.mark.parametrize(
    ("step", "governed_s"),
    [({"status": 413, "delay_s": 0.5}, 0.0), ({"status": 500, "delay_s": 0.5}, 0.0), ({"delay_s": 0.1}, 0.5)],
    ids=["sent again in halves", "tried again", "waited for a grant"],
)
def test_texts_of_a_cancelled_job_are_not_asked_for(
    conn: Connection,
    own_collection: Collection,
    runtime: Runtime,
    provider: ProviderServer,
    step: dict[str, Any],
    governed_s: float,
) -> None:
    wanted, unwanted = (str(uuid7()) for _ in range(2))
    kept = pending_texts.put(conn, own_collection, 50, name=wanted)
    cancelled = pending_texts.put(conn, own_collection, 50, name=unwanted)
    provider.script(next=[step])
    if governed_s:
        runtime.governor.pause(MODEL, governed_s)
    with ThreadPoolExecutor(1) as thread:
        work = thread.submit(embed.embed_pending, runtime)
        wait_until(
            lambda: (
                conn.execute("SELECT FROM pending WHERE claim_id IS NOT NULL").fetchone() is not None
                and (governed_s > 0 or provider.stats()["in_flight"] == 1)
            )
        )
        cancel(conn, own_collection, cancelled)
        work.result()
    assert jobs.get(conn, own_collection.tenant_id, kept).status is Status.SUCCEEDED
    assert (answered(provider, wanted, 50), answered(provider, unwanted, 50)) == (50, 0)
    with conn.transaction():
        endings.cancel(conn, cancelled)
    assert jobs.get(conn, own_collection.tenant_id, cancelled).status is Status.CANCELLED


@pytest.fixture
def stop() -> Event:
    return Event()


@pytest.fixture
def stoppable(runtime: Runtime, settings: Settings, stop: Event) -> Runtime:
    small = settings.model_copy(update={"request_inputs": 10, "embed_threads": 1})
    return replace(runtime, settings=small, draining=stop.is_set)


def test_a_worker_that_ends_finishes_its_request_and_begins_no_other(
    conn: Connection, own_collection: Collection, stoppable: Runtime, stop: Event, provider: ProviderServer
) -> None:
    pending_texts.put(conn, own_collection, 100)
    provider.script(always={"delay_s": 0.3})
    with ThreadPoolExecutor(1) as thread:
        work = thread.submit(embed.embed_pending, stoppable)
        wait_until(lambda: provider.stats()["in_flight"] == 1)
        stop.set()
        assert work.result() == 10
    assert conn.execute("SELECT count(*), count(claim_id) FROM pending").fetchone() == (90, 0)
    assert len(provider.stats()["answered"]) == 10


def test_a_worker_that_ends_waits_for_no_grant(
    conn: Connection, own_collection: Collection, stoppable: Runtime, stop: Event, provider: ProviderServer
) -> None:
    job_id = pending_texts.put(conn, own_collection, 10)
    stoppable.governor.pause(MODEL, 0.5)
    with ThreadPoolExecutor(1) as thread:
        work = thread.submit(embed.embed_pending, stoppable)
        wait_until(lambda: conn.execute("SELECT FROM pending WHERE claim_id IS NOT NULL").fetchone() is not None)
        stop.set()
        work.result()
    assert conn.execute("SELECT count(*) FROM pending WHERE claim_id IS NULL AND not_before IS NULL").fetchone() == (
        10,
    )
    assert provider.stats()["requests"] == 0
    assert jobs.get(conn, own_collection.tenant_id, job_id).status is Status.RUNNING


def test_a_worker_that_stood_still_asks_for_nothing_that_another_has_claimed_meanwhile(
    conn: Connection, own_collection: Collection, runtime: Runtime, provider: ProviderServer
) -> None:
    pending_texts.put(conn, own_collection, 5)
    batch = claim.claim(conn, runtime.settings)
    assert batch
    conn.execute("UPDATE pending SET claim_id = gen_random_uuid() WHERE claim_id = %s", [batch.claim_id])
    stood_still = replace(batch, claimed_at=time.monotonic() - runtime.settings.lease_s)
    embed._embed(runtime, stood_still, wakes_others=False)
    assert provider.stats()["requests"] == 0
