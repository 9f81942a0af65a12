"""GET /v1/usage: what was spent, by what, in which time; and the budget."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from api_client import Call, body, caller

from api.app import Api
from dbrag.accounts import budgets
from dbrag.accounts.model import Scope
from dbrag.database.pool import Connection, connect
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


class Spender:
    """A tenant, and what is written of it into the table `usage`."""

    def __init__(self, conn: Connection, call: Call, tenant: str) -> None:
        self.conn, self.call, self.tenant = conn, call, tenant
        self.tenant_id = self.ask("SELECT id FROM tenants WHERE name = %s", tenant)

    def ask(self, question: str, *values: object) -> Any:
        row = self.conn.execute(question.encode(), values).fetchone()
        assert row
        return row[0]

    def spend(
        self, usd: str, job_id: UUID | None = None, at: datetime = NOON, model: str = "small", cached: int = 0
    ) -> None:
        self.conn.execute(
            "INSERT INTO usage (tenant_id, job_id, model, texts, prompt_tokens, texts_from_cache, cost_usd, at) "
            "VALUES (%s, %s, %s, 1, 100, %s, %s, %s)",
            [self.tenant_id, job_id, model, cached, usd, at],
        )

    def job(self, name: str) -> UUID:
        path = f"/v1/collections/{name}"
        self.call("PUT", path, json={"dimensions": 4})
        return UUID(body(self.call("POST", f"{path}/documents", json={"text": "A text."}))["id"])

    def usage(self, **query: Any) -> dict[str, Any]:
        answer = self.call("GET", "/v1/usage", query_string=query)
        assert answer.status_code == 200, answer.text
        return body(answer)


@pytest.fixture
def spender(app: Api, api_settings: Settings, key: Callable[..., str]) -> Iterator[Spender]:
    tenant = str(uuid4())
    call = caller(app, key(tenant=tenant))
    with connect(api_settings, autocommit=True) as conn:
        yield Spender(conn, call, tenant)


def costs(report: dict[str, Any], name: str) -> list[tuple[str | None, float]]:
    return [(row[name], row["cost_usd"]) for row in report["data"]]


def test_who_has_spent_nothing_is_told_so(spender: Spender) -> None:
    report = spender.usage()
    assert (report["data"], report["has_more"], report["budget"]) == ([], False, None)
    assert report["total"] == dict.fromkeys(
        ["texts", "texts_from_cache", "prompt_tokens", "completion_tokens", "cost_usd"], 0
    )


def test_days_are_utc_in_their_order_and_end_before_until(spender: Spender) -> None:
    day = NOON.replace(hour=0)
    for usd, at in (("1", day), ("2", day - timedelta(microseconds=1)), ("4", day + timedelta(days=1))):
        spender.spend(usd, at=at, cached=3)
    date = f"{day:%Y-%m-%d}"
    before, after = (f"{day + timedelta(days=days):%Y-%m-%d}" for days in (-1, 1))
    assert costs(spender.usage(), "day") == [(before, 2), (date, 1), (after, 4)]
    report = spender.usage(since=date, until=after)
    assert report["data"] == [{"day": date, **report["total"]}]
    assert report["total"] == {
        "texts": 1, "texts_from_cache": 3, "prompt_tokens": 100, "completion_tokens": 0, "cost_usd": 1
    }  # fmt: skip
    east = spender.usage(since=f"{date}T01:00:00+01:00", until=f"{after}T00:00:00Z")
    assert (east["data"], east["since"]) == (report["data"], f"{date}T01:00:00+01:00")


def test_by_default_it_is_the_last_thirty_days(spender: Spender) -> None:
    now = datetime.now(UTC)
    spender.spend("1", at=now - timedelta(days=29))
    spender.spend("2", at=now - timedelta(days=32))
    assert spender.usage()["total"]["cost_usd"] == 1


def test_models_and_kinds_come_by_cost(spender: Spender) -> None:
    job_id = spender.job("a")
    spender.spend("1", job_id, model="small")
    spender.spend("3", job_id, model="large")
    spender.spend("0.5", model="small")
    assert costs(spender.usage(by="model"), "model") == [("large", 3), ("small", 1.5)]
    assert costs(spender.usage(by="kind"), "kind") == [("ingest_document", 4), ("search", 0.5)]


def test_collections_have_their_names_and_what_has_none_says_what_it_is(spender: Spender) -> None:
    spender.spend("4", spender.job("kept"))
    spender.spend("3", spender.job("gone"))
    of_catalog = spender.job("later-the-catalog")
    spender.conn.execute(
        "UPDATE collections SET name = '.catalog' WHERE name = 'later-the-catalog' AND tenant_id = %s",
        [spender.tenant_id],
    )
    spender.spend("2", of_catalog)
    spender.spend("1")
    assert spender.call("DELETE", "/v1/collections/gone").status_code == 204
    rows = [(row["collection"], row["about"], row["cost_usd"]) for row in spender.usage(by="collection")["data"]]
    assert rows == [("kept", "collection", 4), (None, "deleted", 3), (None, "catalog", 2), (None, "searches", 1)]
    assert spender.usage(by="collection")["total"]["cost_usd"] == 10


def test_jobs_come_in_pages_newest_first(spender: Spender) -> None:
    jobs = [spender.job("a") for _ in range(5)]
    for usd, job_id in enumerate(jobs, start=1):
        spender.spend(str(usd), job_id)
        spender.spend(str(usd), job_id, model="large")
    spender.spend("100")
    found: list[tuple[str | None, float]] = []
    query: dict[str, Any] = {"by": "job", "limit": 2}
    while True:
        report = spender.usage(**query)
        assert report["total"]["cost_usd"] == 130, "searches are in it"
        found += costs(report, "job_id")
        if not report["has_more"]:
            break
        query["cursor"] = report["next_cursor"]
    assert found == [(str(job_id), 2 * usd) for usd, job_id in reversed(list(enumerate(jobs, start=1)))]


@pytest.mark.parametrize("by", ["day", "model", "collection", "job", "kind"])
def test_nobody_sees_what_another_tenant_spent(spender: Spender, call: Call, by: str) -> None:
    spender.spend("1", spender.job("a"))
    report = body(call("GET", "/v1/usage", query_string={"by": by, "since": f"{NOON:%Y-%m-%d}"}))
    assert report["total"]["cost_usd"] == 0
    assert report["data"] == []


def test_the_budget_is_told(spender: Spender) -> None:
    budgets.put(spender.conn, spender.tenant, {"day": Decimal(5), "month": Decimal(50)})
    spender.spend("1.5", at=datetime.now(UTC))
    found = spender.usage()["budget"]
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    assert found == {
        "day_usd": 5, "month_usd": 50, "spent_day_usd": 1.5, "spent_month_usd": 1.5, "is_spent": False,
        "resets_at": f"{midnight:%Y-%m-%dT00:00:00Z}",
    }  # fmt: skip
    spender.spend("3.5", at=datetime.now(UTC))
    assert spender.usage()["budget"]["is_spent"] is True


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"by": "price"}, "?by"),
        ({"since": "yesterday"}, "?since"),
        ({"since": "2026-02-30"}, "?since"),
        ({"since": "2026-01-02T00:00:00"}, "?since"),
        ({"since": "2026-01-02", "until": "2026-01-02"}, "?since"),
        ({"by": "job", "cursor": "1"}, "?cursor"),
        ({"by": "job", "limit": 0}, "?limit"),
        ({"cursor": str(uuid4())}, "?cursor"),
        ({"from": "2026-01-01"}, "?from"),
    ],
)
def test_a_question_that_makes_no_sense_is_told_where(spender: Spender, query: dict[str, Any], pointer: str) -> None:
    answer = spender.call("GET", "/v1/usage", query_string=query)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in body(answer)["errors"]] == [pointer]


@pytest.mark.parametrize("until", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_times_at_the_end_of_the_calendar_are_times(spender: Spender, until: str) -> None:
    answer = spender.call("GET", "/v1/usage", query_string={"until": until})
    assert answer.status_code in (200, 422), answer.text


def test_a_key_needs_the_scope_read(app: Api, key: Callable[..., str]) -> None:
    assert caller(app, key(Scope.INGEST))("GET", "/v1/usage").status_code == 403
    assert caller(app, key(Scope.READ))("GET", "/v1/usage").status_code == 200
