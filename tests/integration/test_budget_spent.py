"""A budget that is spent, with real workers: held with the reason, and on again without paying twice."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import pytest

from dbrag.accounts import budgets
from tests.running import PATIENCE_S, Platform


class Tenant:
    """One with a key of its own, and a collection."""

    def __init__(self, platform: Platform) -> None:
        self.platform, self.name = platform, f"budget-{uuid4()}"
        self.client: httpx.Client = platform.client_for(self.name)
        body = {"dimensions": 64, "chunking": {"max_tokens": 40, "overlap_tokens": 0}}
        self.client.put("/collections/own", json=body).raise_for_status()

    def allow(self, **bounds: str | None) -> None:
        changes: dict[budgets.Period, Decimal | None] = {
            period: Decimal(usd) if (usd := bounds[period]) else None for period in budgets.PERIODS if period in bounds
        }
        with self.platform.database() as conn:
            budgets.put(conn, self.name, changes)

    def send(self, texts: int, *, word: str) -> str:
        batch = [{"external_id": f"{word}-{n}", "text": f"The {word} of number {n}."} for n in range(texts)]
        answer = self.client.post("/collections/own/documents:batch", json=batch)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def wait(self, job_id: str, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        while not until(job := self.client.get(f"/jobs/{job_id}").raise_for_status().json()):
            assert time.monotonic() < deadline, f"still waiting for {job}"
            time.sleep(0.05)
        return job

    def usage(self) -> dict[str, Any]:
        return self.client.get("/usage").raise_for_status().json()


def is_held(job: dict[str, Any]) -> bool:
    return job["status"] == "held"


def is_over(job: dict[str, Any]) -> bool:
    return job["finished_at"] is not None


@pytest.fixture
def tenant(platform: Platform) -> Iterator[Tenant]:
    tenant = Tenant(platform)
    yield tenant
    tenant.allow(day=None, month=None)


def test_a_job_waits_until_the_budget_is_raised_and_pays_for_each_text_once(platform: Platform, tenant: Tenant) -> None:
    tenant.allow(day="0.000001")
    first = tenant.wait(tenant.send(30, word="first"), is_over)
    assert first["usage"]["cost_usd"] > 0.000001, "a request that was claimed within the budget is made"
    job_id = tenant.send(20, word="second")
    held = tenant.wait(job_id, is_held)
    budget = tenant.usage()["budget"]
    assert held["status_reason"]["code"] == "budget"
    assert "dbrag tenants budget" in held["status_reason"]["detail"]
    assert held["status_reason"]["until"] == budget["resets_at"]
    assert budget["is_spent"]
    asked = platform.provider.stats()["requests"]
    other = Tenant(platform)
    assert other.wait(other.send(5, word="other"), is_over)["status"] == "succeeded", "nobody else waits"
    assert tenant.wait(job_id, lambda _: True)["status"] == "held"
    tenant.allow(day="1")
    job = tenant.wait(job_id, is_over)
    assert (job["status"], job["attempt"], job["counts"]["completed"]) == ("succeeded", 1, 20)
    assert platform.provider.stats()["requests"] >= asked + 2
    texts = tenant.client.get("/usage", params={"by": "job"}).json()["data"]
    assert [(one["job_id"], one["texts"]) for one in texts] == [(job_id, 20), (first["id"], 30)]


def test_what_was_spent_yesterday_holds_nobody_today(platform: Platform, tenant: Tenant) -> None:
    spent = (
        "INSERT INTO usage (tenant_id, model, texts, prompt_tokens, cost_usd, at) "
        "SELECT id, 'm', 1, 1, 5, now() - make_interval(days => %s) FROM tenants WHERE name = %s"
    )
    with platform.database() as conn:
        conn.execute(spent, [datetime.now(UTC).day, tenant.name])  # in the month before
        conn.execute(spent, [1, tenant.name])
    tenant.allow(day="1")
    assert tenant.wait(tenant.send(3, word="today"), is_over)["status"] == "succeeded"


def test_a_held_job_that_is_cancelled_ends_and_one_that_is_sent_again_waits_too(
    platform: Platform, tenant: Tenant
) -> None:
    tenant.allow(month="0")
    job_id = tenant.send(3, word="cancelled")
    assert "a month" in tenant.wait(job_id, is_held)["status_reason"]["detail"]
    tenant.client.post(f"/jobs/{job_id}:cancel").raise_for_status()
    assert tenant.wait(job_id, is_over)["status"] == "cancelled"
    again = tenant.send(3, word="cancelled")
    tenant.wait(again, is_held)
    tenant.allow(month=None)
    assert tenant.wait(again, is_over)["status"] == "succeeded"


def test_searches_go_on_and_count(platform: Platform, tenant: Tenant) -> None:
    tenant.wait(tenant.send(3, word="found"), is_over)
    tenant.allow(day="0")
    before = tenant.usage()["budget"]["spent_day_usd"]
    answer = tenant.client.post("/collections/own/search", json={"query": f"something new {uuid4()}"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]
    assert tenant.usage()["budget"]["spent_day_usd"] > before
