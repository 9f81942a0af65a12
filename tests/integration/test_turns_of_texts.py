"""Whose texts the next request holds: tenants take turns by weight, in each queue, without small requests."""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from dbrag.accounts import keys
from dbrag.database.pool import Connection
from dbrag.documents import collections
from dbrag.documents.model import Collection, CollectionWish
from dbrag.embedding import claim
from dbrag.embedding.model import Batch
from dbrag.settings import Settings
from tests.integration import pending_texts

FULL = 2048


@pytest.fixture(autouse=True)
def nobody_else(conn: Connection) -> Iterator[None]:
    pending_texts.clear(conn)
    yield
    pending_texts.clear(conn)


def tenant(conn: Connection, weight: int = 1) -> UUID:
    tenant_id = keys.authenticate(conn, keys.create(conn, str(uuid7()), "test", [])).tenant_id
    conn.execute("UPDATE tenants SET weight = %s WHERE id = %s", [weight, tenant_id])
    return tenant_id


def collection(
    conn: Connection, settings: Settings, weight: int = 1, owner: UUID | None = None, model: str | None = None
) -> Collection:
    wish = CollectionWish(model=model, dimensions=8)
    return collections.put(conn, owner or tenant(conn, weight), str(uuid7()), wish, settings)[0]


def take(conn: Connection, settings: Settings) -> Batch:
    with conn.transaction():
        batch = claim.claim(conn, settings)
    assert batch
    return batch


def owners(batch: Batch) -> Counter[UUID]:
    return Counter(text.tenant_id for text in batch.texts)


def test_ten_texts_are_in_the_next_request_though_another_tenant_has_5000(conn: Connection, settings: Settings) -> None:
    large, small = collection(conn, settings), collection(conn, settings)
    pending_texts.put(conn, large, 5000)
    pending_texts.put(conn, small, 10)
    batch = take(conn, settings)
    assert owners(batch) == {large.tenant_id: FULL - 10, small.tenant_id: 10}
    assert batch.more


def test_a_tenant_that_is_alone_gets_full_requests_in_the_order_of_its_texts(
    conn: Connection, settings: Settings
) -> None:
    pending_texts.put(conn, collection(conn, settings), 5000)
    batches = [take(conn, settings) for _ in range(3)]
    assert [len(batch.texts) for batch in batches] == [FULL, FULL, 5000 - 2 * FULL]
    ids = [text.chunk_id for batch in batches for text in batch.texts]
    assert ids == sorted(ids)


def test_requests_are_shared_by_weight_whatever_the_number_of_collections(conn: Connection, settings: Settings) -> None:
    heavy, light = tenant(conn, 3), tenant(conn)
    for owner in (heavy, light, light):
        pending_texts.put(conn, collection(conn, settings, owner=owner), 5000)
    shared = owners(take(conn, settings))
    assert shared[heavy] == pytest.approx(FULL * 3 / 4, abs=3)
    assert sum(shared.values()) == FULL


def test_tenants_with_another_model_have_their_turn_within_a_few_requests(conn: Connection, settings: Settings) -> None:
    pending_texts.put(conn, collection(conn, settings), 60_000)
    other = collection(conn, settings, model="text-embedding-3-large")
    pending_texts.put(conn, other, 10)
    batches = (take(conn, settings) for _ in range(25))  # each time by a chance of one half
    assert owners(next(batch for batch in batches if batch.model == other.model)) == {other.tenant_id: 10}


def test_an_urgent_text_goes_first_and_the_rest_of_the_request_is_filled(conn: Connection, settings: Settings) -> None:
    patient, urgent = collection(conn, settings), collection(conn, settings)
    pending_texts.put(conn, patient, 100, queue_rank=1)
    pending_texts.put(conn, patient, 5000, queue_rank=2)
    pending_texts.put(conn, urgent, 10, queue_rank=0)
    for _ in range(5):  # now and then a lower queue leads
        ranks = Counter(text.queue_rank for text in take(conn, settings).texts)
        if ranks == {0: 10, 1: 100, 2: FULL - 110}:
            return
        conn.execute("UPDATE pending SET claim_id = NULL, lease_until = NULL")
    pytest.fail("urgent texts do not go first")


def test_a_low_text_is_asked_for_though_urgent_ones_never_end(conn: Connection, settings: Settings) -> None:
    patient, urgent = collection(conn, settings), collection(conn, settings)
    pending_texts.put(conn, patient, 10, queue_rank=2)
    pending_texts.put(conn, urgent, 3000)
    for _ in range(200):  # each time by a chance of one in twenty
        if patient.tenant_id in owners(take(conn, settings)):
            return
        conn.execute("UPDATE pending SET claim_id = NULL, lease_until = NULL")
    pytest.fail("low starves")


def test_many_tenants_with_few_texts_fill_a_request_together(conn: Connection, settings: Settings) -> None:
    for count in (1, 30, 400, 3, 90, 700, 2000):
        pending_texts.put(conn, collection(conn, settings), count)
    assert len(take(conn, settings).texts) == FULL
    assert len(take(conn, settings).texts) == 1 + 30 + 400 + 3 + 90 + 700 + 2000 - FULL


def test_a_text_that_is_being_asked_for_is_not_asked_for_again(conn: Connection, settings: Settings) -> None:
    name = str(uuid7())
    pending_texts.put(conn, collection(conn, settings), 20, name=name)
    assert len(take(conn, settings).texts) == 20
    pending_texts.put(conn, collection(conn, settings), 30, name=name)
    assert len(take(conn, settings).texts) == 10
    with conn.transaction():
        assert claim.claim(conn, settings) is None


def test_a_text_that_failed_often_is_not_packed_with_healthy_ones(conn: Connection, settings: Settings) -> None:
    bad, good = collection(conn, settings), collection(conn, settings)
    job_id = pending_texts.put(conn, bad, 1)
    pending_texts.put(conn, good, 5000)
    conn.execute("UPDATE pending SET deferrals = 20 WHERE job_id = %s", [job_id])
    for _ in range(25):  # until it has the first turn
        together = owners(take(conn, settings))
        assert len(together) == 1
        if bad.tenant_id in together:
            return
        conn.execute("UPDATE pending SET claim_id = NULL, lease_until = NULL")
    pytest.fail("it never came to its turn")


def test_texts_of_a_paused_collection_wait(conn: Connection, settings: Settings) -> None:
    paused, other = collection(conn, settings), collection(conn, settings)
    pending_texts.put(conn, paused, 10, queue_rank=0)
    pending_texts.put(conn, other, 10)
    conn.execute("UPDATE collections SET paused_at = now() WHERE id = %s", [paused.id])
    assert owners(take(conn, settings)) == {other.tenant_id: 10}
    with conn.transaction():
        assert claim.claim(conn, settings) is None
    conn.execute("UPDATE collections SET paused_at = NULL WHERE id = %s", [paused.id])
    assert owners(take(conn, settings)) == {paused.tenant_id: 10}
