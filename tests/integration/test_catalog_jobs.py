"""Updates of the catalog, from the request to the entries, by running workers on a real database."""

from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from redis import Redis

from tests.integration.catalog_database import TABLES, SourceDatabase, source_database
from tests.running import Platform

NAMES = (f"shop-{number}" for number in count())


class Catalog:
    """One connection of the platform's tenant."""

    def __init__(self, platform: Platform, source: SourceDatabase) -> None:
        self.platform, self.source, self.name = platform, source, next(NAMES)
        self.path = f"/connections/{self.name}"

    def put(self, **wish: Any) -> httpx.Response:
        return self.platform.client.put(self.path, json={"dsn": self.source.dsn, **wish})

    def update(self, **scope: Any) -> dict[str, Any]:
        """The job, once it is over."""
        answer = self.platform.client.post(f"{self.path}/catalog:update", json=scope)
        assert answer.status_code == 202, answer.text
        [job] = self.platform.wait(answer.json()["id"])
        return job

    def retry(self, job: dict[str, Any]) -> dict[str, Any]:
        answer = self.platform.client.post(f"/jobs/{job['id']}:retry")
        assert answer.status_code == 202, answer.text
        [job] = self.platform.wait(job["id"])
        return job

    def tables(self) -> dict[str, dict[str, Any]]:
        data = self.platform.client.get(f"{self.path}/tables").raise_for_status().json()["data"]
        return {f"{table['schema']}.{table['table']}": table for table in data}

    def table(self, full_name: str) -> dict[str, Any]:
        return self.platform.client.get(f"{self.path}/tables/{quote(full_name)}").raise_for_status().json()

    def items(self, job: dict[str, Any], status: str) -> dict[str, dict[str, Any] | None]:
        data = self.platform.client.get(f"/jobs/{job['id']}/items", params={"status": status}).json()["data"]
        return {item["external_id"]: item["error"] for item in data}


@pytest.fixture
def catalog(platform: Platform) -> Iterator[Catalog]:
    """A shop's database, registered."""
    with source_database(platform.servers.env["DATABASE_URL"]) as source:
        catalog = Catalog(platform, source)
        assert catalog.put().status_code == 201
        yield catalog
        platform.client.delete(catalog.path)


@pytest.fixture
def described(catalog: Catalog) -> Catalog:
    """All its tables described."""
    job = catalog.update()
    assert (job["status"], job["counts"]["completed"]) == ("succeeded", len(TABLES))
    catalog.platform.provider.forget()
    return catalog


def paid(platform: Platform) -> int:
    """Texts that the provider was asked for."""
    return sum(platform.provider.stats()["answered"].values())


def test_each_table_is_an_item_and_becomes_an_entry(catalog: Catalog) -> None:
    job = catalog.update()
    assert (job["kind"], job["status"]) == ("update_metadata_catalog", "succeeded")
    counts = job["counts"]
    assert (counts["total"], counts["completed"], counts["failed"], counts["skipped"]) == (4, 4, 0, 0)
    assert sorted(catalog.items(job, "completed")) == TABLES
    assert sorted(catalog.tables()) == TABLES
    orders = catalog.table("shop.orders")
    assert [column["name"] for column in orders["columns"]] == ["order_id", "customer_id", "placed_at", "total_amount"]
    assert orders["primary_key"] == ["order_id"]
    assert [key["target_table"] for key in orders["foreign_keys"]] == ["customers"]
    assert orders["described_by"] == "composed"
    assert "customers have ordered" in orders["description"]["purpose"]
    assert catalog.tables()["shop.big_orders"]["kind"] == "view"
    assert catalog.platform.client.get(catalog.path).json()["tables"] == 4


def test_personal_values_are_masked_before_anybody_sees_them(described: Catalog) -> None:
    assert {row["email"] for row in described.table("shop.customers")["samples"]} == {"<masked>"}
    with described.platform.database() as conn:
        assert conn.execute("SELECT FROM chunks WHERE text LIKE '%example.org%'").fetchall() == []
        assert conn.execute("SELECT FROM catalog_entries e WHERE e::text LIKE '%example.org%'").fetchall() == []


def test_what_has_not_changed_costs_nothing_again(described: Catalog) -> None:
    before = described.table("shop.orders")
    job = described.update()
    assert job["counts"] == {"total": 4, "completed": 4, "failed": 0, "skipped": 0, "cached": 4}
    assert (job["result"]["unchanged"], job["usage"]["prompt_tokens"]) == (4, 0)
    assert described.table("shop.orders") == before
    assert described.platform.provider.stats()["requests"] == 0


def test_only_what_changed_is_described_again_and_statistics_are_brought_up_to_date(described: Catalog) -> None:
    described.source.execute("COMMENT ON TABLE shop.vouchers IS 'Rebates that were sent to customers'")
    described.source.execute("ANALYZE")
    job = described.update()
    assert (job["counts"]["completed"], job["counts"]["cached"]) == (4, 3)
    assert "Rebates" in described.table("shop.vouchers")["description"]["purpose"]
    assert described.tables()["shop.customers"]["row_estimate"] == 2
    assert paid(described.platform) == 1


def test_an_update_can_be_of_a_schema_or_a_table_and_by_force(described: Catalog) -> None:
    job = described.update(schema="shop", table="orders", force=True)
    assert list(described.items(job, "completed")) == ["shop.orders"]
    assert job["result"]["unchanged"] == 0
    missing = described.update(schema="shop", table="nothing")
    assert (missing["status"], missing["error"]["code"]) == ("failed", "table_not_found")


def test_tables_that_are_renamed_or_dropped_are_so_in_the_catalog(described: Catalog) -> None:
    described.source.execute("ALTER TABLE shop.vouchers RENAME TO coupons; DROP VIEW shop.big_orders")
    job = described.update()
    assert (job["result"]["dropped"], job["counts"]["total"]) == (1, 3)
    assert sorted(described.tables()) == ["shop.coupons", "shop.customers", "shop.orders"]


def test_a_users_own_words_survive_updates_renames_and_a_table_that_is_made_anew(described: Catalog) -> None:
    words = {"purpose": "Promises of a discount, sent by post."}
    path = f"{described.path}/descriptions/shop.vouchers"
    answer = described.platform.client.put(path, json=words)
    assert answer.status_code == 202
    described.platform.wait(answer.json()["id"])
    spoken = described.table("shop.vouchers")
    assert (spoken["described_by"], spoken["description"]["purpose"]) == ("user", words["purpose"])
    described.source.execute("ALTER TABLE shop.vouchers RENAME TO coupons")
    described.update(force=True)
    assert described.table("shop.coupons")["description"]["purpose"] == words["purpose"]
    described.source.execute("DROP TABLE shop.coupons; CREATE TABLE shop.coupons (code text PRIMARY KEY)")
    described.source.grant()
    described.update()
    assert described.table("shop.coupons")["description"]["purpose"] == words["purpose"]

    cleared = described.platform.client.delete(f"{described.path}/descriptions/shop.coupons")
    described.platform.wait(cleared.json()["id"])
    assert described.table("shop.coupons")["described_by"] == "composed"
    assert described.platform.client.delete(f"{described.path}/descriptions/shop.coupons").status_code == 404


def test_a_users_own_words_follow_names_into_another_database(described: Catalog, platform: Platform) -> None:
    path = f"{described.path}/descriptions/shop.vouchers"
    answer = platform.client.put(path, json={"purpose": "Mine."})
    platform.wait(answer.json()["id"])
    with source_database(platform.servers.env["DATABASE_URL"]) as other:
        # There the same oids are other tables', if they are anybody's.
        described.put(dsn=other.dsn)
        described.update()
        assert sorted(described.tables()) == TABLES
        spoken = {name for name, table in described.tables().items() if table["described_by"] == "user"}
        assert spoken == {"shop.vouchers"}


def test_a_table_that_may_not_be_read_fails_alone_and_is_retried_alone(catalog: Catalog) -> None:
    catalog.source.execute("CREATE TABLE shop.salaries (employee integer PRIMARY KEY, amount numeric)")
    catalog.source.execute("CREATE VIEW shop.broken AS SELECT 1 / 0 AS one")
    catalog.source.grant()
    role = catalog.source.role
    catalog.source.execute(f"REVOKE SELECT ON shop.salaries FROM {role}")  # type: ignore[arg-type]
    job = catalog.update()
    assert (job["status"], job["counts"]["completed"], job["counts"]["failed"]) == ("completed_with_errors", 4, 2)
    errors = catalog.items(job, "failed")
    assert {name: error and error["code"] for name, error in errors.items()} == {
        "shop.salaries": "permission_denied",
        "shop.broken": "unreadable",
    }
    assert sorted(catalog.tables()) == TABLES
    catalog.source.grant()
    catalog.source.execute("CREATE OR REPLACE VIEW shop.broken AS SELECT 1 AS one")
    catalog.platform.provider.forget()
    job = catalog.retry(job)
    assert (job["status"], job["counts"]["completed"]) == ("succeeded", 6)
    assert paid(catalog.platform) == 2


def test_a_database_that_lets_nobody_in_fails_the_job_with_the_reason_until_it_does(catalog: Catalog) -> None:
    catalog.put(dsn=catalog.source.dsn.replace(catalog.source.password, "wrong"))
    job = catalog.update()
    assert (job["status"], job["error"]["code"]) == ("failed", "source_login_refused")
    assert catalog.items(job, "failed") == {catalog.name: job["error"]}
    catalog.put()
    assert catalog.retry(job)["counts"]["completed"] == 4


def test_a_deleted_connection_takes_its_tables_along(described: Catalog) -> None:
    assert described.platform.client.delete(described.path).status_code == 204
    assert described.platform.client.get(f"{described.path}/tables").status_code == 404
    with described.platform.database() as conn:
        [[dsn]] = conn.execute("SELECT dsn FROM connections WHERE name = %s", [described.name]).fetchall()
        assert bytes(dsn) == b""
    assert described.put().status_code == 201
    assert described.tables() == {}


def test_no_secret_is_in_any_row_answer_log_or_server(described: Catalog) -> None:
    platform, source = described.platform, described.source
    answers = [platform.client.get(described.path).text, platform.client.get("/jobs").text, described.put().text]
    answers += [httpx.get(f"{platform.api.url}/metrics", trust_env=False).text]
    with platform.database() as conn:
        for table in ("jobs", "job_items", "job_events", "connections", "catalog_entries", "document_versions"):
            answers += [row[0] for row in conn.execute(f"SELECT t::text FROM {table} t").fetchall()]  # type: ignore[arg-type]
    for name in ("CELERY_BROKER_URL", "CACHE_URL"):
        with Redis.from_url(platform.servers.env[name]) as redis:
            answers += [str(redis.dump(key)) for key in redis.scan_iter()]
    answers += [log.read_text(errors="replace") for log in (platform.servers.folder / "logs").glob("*.log")]
    hidden = [source.password, source.password.encode().hex(), source.dsn]
    assert [secret for secret in hidden for answer in answers if secret in answer] == []


def test_words_said_before_and_after_a_move_to_another_database_stand_in_nobodys_way(
    described: Catalog, platform: Platform
) -> None:
    path = f"{described.path}/descriptions/shop.vouchers"

    def say(purpose: str) -> None:
        answer = platform.client.put(path, json={"purpose": purpose})
        platform.wait(answer.json()["id"])

    say("First.")
    with source_database(platform.servers.env["DATABASE_URL"]) as other:
        assert described.put(dsn=other.dsn).status_code == 200
        say("Second.")  # by its old entry, which is live until the next update is through
        assert described.put().status_code == 200
        assert described.put(dsn=other.dsn).status_code == 200
        assert described.update()["status"] == "succeeded"
        assert described.table("shop.vouchers")["description"]["purpose"] == "Second."


def test_to_say_nothing_is_refused(described: Catalog) -> None:
    path = f"{described.path}/descriptions/shop.vouchers"
    assert described.platform.client.put(path, json={"purpose": None}).status_code == 422
