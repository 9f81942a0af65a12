"""A tenant whose budget is spent: its work waits with the reason, goes on when it may, and nobody else is touched."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from dbrag.accounts import budgets, keys
from dbrag.accounts.budgets import BudgetSpent, Period
from dbrag.database.pool import Connection
from dbrag.documents import collections
from dbrag.documents.accept import accept
from dbrag.documents.ingest import ingest
from dbrag.documents.model import Collection, CollectionWish, Submission
from dbrag.embedding.claim import claim
from dbrag.embedding.waiting import waiting
from dbrag.errors import Invalid, NotFound
from dbrag.jobs import jobs, moves
from dbrag.jobs.model import Job, Kind, Queue, Status
from dbrag.jobs.relay import Relay
from dbrag.runtime import Runtime
from dbrag.settings import Settings


def name_of(conn: Connection, collection: Collection) -> str:
    row = conn.execute("SELECT name FROM tenants WHERE id = %s", [collection.tenant_id]).fetchone()
    assert row
    return row[0]


def allow(conn: Connection, collection: Collection, **bounds: str | None) -> None:
    changes: dict[Period, Decimal | None] = {
        period: Decimal(bounds[period] or "") if bounds[period] else None
        for period in budgets.PERIODS
        if period in bounds
    }
    budgets.put(conn, name_of(conn, collection), changes)


def spend(conn: Connection, collection: Collection, usd: str, at: datetime | None = None) -> None:
    conn.execute(
        "INSERT INTO usage (tenant_id, model, texts, prompt_tokens, cost_usd, at) VALUES (%s, 'm', 1, 1, %s, %s)",
        [collection.tenant_id, usd, at or datetime.now(UTC)],
    )


def budget(conn: Connection, collection: Collection) -> budgets.Budget:
    found = budgets.find(conn, collection.tenant_id)
    assert found
    return found


def prepared(conn: Connection, runtime: Runtime, collection: Collection, *names: str) -> UUID:
    """A job whose texts wait for their vectors."""
    with conn.transaction():
        items = [Submission(name, text=f"Text of {name}.") for name in names]
        job_id = accept(conn, collection, Kind.INGEST_DOCUMENT, Queue.LOW, items).id
    ingest(runtime, job_id)
    return job_id


def look(conn: Connection, collection: Collection, job_id: UUID) -> Job:
    return jobs.get(conn, collection.tenant_id, job_id)


def stands(conn: Connection, collection: Collection, job_id: UUID) -> tuple[Status, str | None]:
    job = look(conn, collection, job_id)
    return job.status, job.reason_code


def claimable(conn: Connection, collection: Collection, settings: Settings) -> bool:
    return collection.tenant_id in {one.tenant_id for one in waiting(conn, settings)}


def test_what_was_spent_today_and_this_month_counts_and_nothing_before(
    conn: Connection, own_collection: Collection
) -> None:
    allow(conn, own_collection, day="1", month="10")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    spend(conn, own_collection, "0.25")
    spend(conn, own_collection, "0.25", today)
    before = today - timedelta(microseconds=1)
    spend(conn, own_collection, "5", before)
    spend(conn, own_collection, "100", today.replace(day=1) - timedelta(seconds=1))
    this_month = 5.5 if before.month == today.month else 0.5
    found = budget(conn, own_collection)
    assert (found.spent_day_usd, found.spent_month_usd, found.is_spent) == (0.5, this_month, False)
    assert found.resets_at == today + timedelta(days=1)


def test_one_statement_may_record_several_tenants_and_what_costs_nothing(
    conn: Connection, own_collection: Collection
) -> None:
    allow(conn, own_collection, day="1")
    conn.execute(
        "INSERT INTO usage (tenant_id, model, texts_from_cache, cost_usd) "
        "SELECT t.id, 'm', 1, c.usd FROM tenants t, unnest(ARRAY[0.5, 0.25, 0]) c (usd)"
    )
    assert budget(conn, own_collection).spent_day_usd == 0.75


@pytest.mark.parametrize(
    ("bounds", "usd", "code"),
    [
        ({"day": "1"}, "1", "a day"),
        ({"month": "1"}, "1", "a month"),
        ({"day": "0"}, "0", "a day"),
        ({"day": "1", "month": "1"}, "2", "a month"),
        ({"day": "1", "month": "3"}, "2", "a day"),
        ({"day": "2", "month": "2"}, "1.999999", None),
    ],
)
def test_a_budget_is_spent_when_a_bound_is_reached(
    conn: Connection, own_collection: Collection, bounds: dict[str, str], usd: str, code: str | None
) -> None:
    allow(conn, own_collection, **bounds)
    spend(conn, own_collection, usd)
    found = budget(conn, own_collection)
    assert found.is_spent is (code is not None)
    if code is None:
        return
    assert code in found.detail
    assert f"{found.resets_at:%Y-%m-%d} 00:00 UTC" in found.detail
    assert (found.resets_at.day == 1) is (code == "a month" or found.resets_at.day == 1)


def test_a_bound_that_is_not_given_stays_and_one_can_be_taken_away(
    conn: Connection, own_collection: Collection
) -> None:
    name = name_of(conn, own_collection)
    assert budgets.put(conn, name, {"day": Decimal(5), "month": Decimal(50)}) == {"day": 5, "month": 50}
    assert budgets.put(conn, name, {"month": None}) == {"day": 5, "month": None}
    assert budgets.put(conn, name, {"day": None}) == {"day": None, "month": None}
    assert budgets.find(conn, own_collection.tenant_id) is None


@pytest.mark.parametrize("usd", ["-1", "NaN", "Infinity", "1e9"])
def test_what_is_no_sum_is_no_budget(conn: Connection, own_collection: Collection, usd: str) -> None:
    with pytest.raises(Invalid) as caught:
        budgets.put(conn, name_of(conn, own_collection), {"day": Decimal(usd)})
    assert caught.value.faults[0].pointer == "/day_usd"


def test_there_must_be_such_a_tenant(conn: Connection) -> None:
    with pytest.raises(NotFound, match="there is no tenant 'nobody'"):
        budgets.put(conn, "nobody", {"day": Decimal(1)})


def test_jobs_are_held_while_the_budget_is_spent_and_go_on_when_it_is_raised(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay, settings: Settings
) -> None:
    job_id = prepared(conn, runtime, own_collection, "a", "b")
    assert claimable(conn, own_collection, settings)
    allow(conn, own_collection, day="5")
    spend(conn, own_collection, "5.02")
    assert not claimable(conn, own_collection, settings)
    relay.run_pass()
    job, found = look(conn, own_collection, job_id), budget(conn, own_collection)
    assert (job.status, job.reason_code, job.reason_until) == (Status.HELD, "budget", found.resets_at)
    assert job.reason_detail is not None
    assert job.reason_detail.startswith("The budget of $5.00 a day is spent; it goes on at ")
    allow(conn, own_collection, day="5.01", month="5.02")
    relay.run_pass()
    assert "$5.02 a month" in str(look(conn, own_collection, job_id).reason_detail), "what it waits for has changed"
    allow(conn, own_collection, day="6", month="60")
    relay.run_pass()
    assert stands(conn, own_collection, job_id) == (Status.RUNNING, None)
    assert claimable(conn, own_collection, settings)


def test_jobs_go_on_when_the_day_is_over(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay
) -> None:
    job_id = prepared(conn, runtime, own_collection, "a")
    allow(conn, own_collection, day="1")
    spend(conn, own_collection, "1")
    relay.run_pass()
    assert stands(conn, own_collection, job_id) == (Status.HELD, "budget")
    conn.execute("UPDATE spend SET day = day - 1 WHERE tenant_id = %s", [own_collection.tenant_id])
    relay.run_pass()
    assert stands(conn, own_collection, job_id) == (Status.RUNNING, None)


def test_only_the_tenant_whose_budget_is_spent_waits(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay, settings: Settings
) -> None:
    tenant_id = keys.authenticate(conn, keys.create(conn, str(uuid7()), "test", [])).tenant_id
    collection = collections.put(conn, tenant_id, "other", CollectionWish(dimensions=8), settings).collection
    own, other = (prepared(conn, runtime, one, "a") for one in (own_collection, collection))
    allow(conn, own_collection, day="0")
    relay.run_pass()
    assert stands(conn, own_collection, own) == (Status.HELD, "budget")
    assert stands(conn, collection, other) == (Status.RUNNING, None)
    with conn.transaction(force_rollback=True):
        batch = claim(conn, settings)
    assert batch is not None
    assert own_collection.tenant_id not in {text.tenant_id for text in batch.texts}


def test_a_job_that_was_not_split_yet_is_split_before_it_waits(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay
) -> None:
    allow(conn, own_collection, day="0")
    with conn.transaction():
        job_id = accept(conn, own_collection, Kind.INGEST_DOCUMENT, Queue.LOW, [Submission("a", text="A text.")]).id
    relay.run_pass()
    assert stands(conn, own_collection, job_id) == (Status.QUEUED, None)
    ingest(runtime, job_id)
    relay.run_pass()
    assert stands(conn, own_collection, job_id) == (Status.HELD, "budget")


def test_a_held_job_can_be_cancelled_and_moved(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay
) -> None:
    job_id = prepared(conn, runtime, own_collection, "a")
    allow(conn, own_collection, day="0")
    relay.run_pass()
    moves.reprioritise(runtime.pool, own_collection.tenant_id, job_id, Queue.CRITICAL)
    job = look(conn, own_collection, job_id)
    assert (job.queue, job.status, job.reason_code) == (Queue.CRITICAL, Status.HELD, "budget")
    with conn.transaction():
        jobs.cancel(conn, own_collection.tenant_id, job_id)
    relay.run_pass()
    assert stands(conn, own_collection, job_id) == (Status.CANCELLED, None)


def test_a_pause_is_waited_for_behind_a_budget(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay
) -> None:
    job_id = prepared(conn, runtime, own_collection, "a")
    allow(conn, own_collection, day="0")
    relay.run_pass()
    conn.execute("UPDATE collections SET paused_at = now() WHERE id = %s", [own_collection.id])
    relay.run_pass()
    assert stands(conn, own_collection, job_id) == (Status.HELD, "budget")
    allow(conn, own_collection, day=None)
    relay.run_pass()
    relay.run_pass()
    assert stands(conn, own_collection, job_id) == (Status.HELD, "paused")
    conn.execute("UPDATE collections SET paused_at = NULL WHERE id = %s", [own_collection.id])
    relay.run_pass()
    assert stands(conn, own_collection, job_id) == (Status.RUNNING, None)


def test_a_tenant_without_a_budget_is_never_stopped(conn: Connection, own_collection: Collection) -> None:
    spend(conn, own_collection, "900000")
    budgets.check(conn, own_collection.tenant_id)
    allow(conn, own_collection, month="1")
    with pytest.raises(BudgetSpent):
        budgets.check(conn, own_collection.tenant_id)
