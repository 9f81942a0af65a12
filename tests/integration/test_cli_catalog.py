"""`dbrag catalog` against a running platform and a real database."""

import json
from collections.abc import Callable, Iterator

import pytest
from cryptography.fernet import Fernet
from typer.testing import Result

from tests.integration.catalog_database import SourceDatabase, source_database
from tests.running import Platform

Dbrag = Callable[..., Result]


@pytest.fixture
def source(platform: Platform, dbrag: Dbrag, monkeypatch: pytest.MonkeyPatch) -> Iterator[SourceDatabase]:
    """Registered as `cli-shop`."""
    with source_database(platform.servers.env["DATABASE_URL"]) as source:
        monkeypatch.setenv("DBRAG_DSN", source.dsn)
        added = dbrag("catalog", "add", "cli-shop", "--sample-rows", "2", "--mask", "points$")
        assert added.exit_code == 0, added.output
        assert source.password not in added.output
        yield source
        assert dbrag("catalog", "delete", "cli-shop").exit_code == 0


def test_a_database_is_added_updated_shown_and_searched(dbrag: Dbrag, source: SourceDatabase) -> None:
    updated = dbrag("catalog", "update", "cli-shop")
    assert updated.exit_code == 0, updated.output
    assert "4/4 tables" in updated.stdout
    assert "4 tables are described (0 unchanged, 0 dropped)" in updated.stdout
    assert "4 tables are described (4 unchanged, 0 dropped)" in dbrag("catalog", "update", "cli-shop").stdout
    assert "cli-shop" in dbrag("catalog", "list").stdout
    listed = dbrag("catalog", "list", "cli-shop").stdout
    assert all(name in listed for name in ("shop.big_orders", "view", "shop.vouchers", "composed"))
    shown = dbrag("catalog", "show", "cli-shop", "shop.orders").stdout
    assert "What customers have ordered" in shown
    assert "(customer_id) → shop.customers (customer_id)" in shown
    whole = json.loads(dbrag("catalog", "show", "cli-shop", "shop.customers", "--json").stdout)
    assert {row["loyalty_points"] for row in whole["samples"]} == {"<masked>"}
    found = dbrag("catalog", "search", "loyalty points of customers", "--connection", "cli-shop")
    assert "1. cli-shop: shop.customers" in found.stdout
    assert "loyalty_points" in found.stdout
    assert "join shop." in found.stdout
    routed = json.loads(dbrag("catalog", "route", "loyalty points of customers", "--json").stdout)
    assert routed["target"] in ("tables", "documents", "both", "none")
    assert routed["tables"][0]["table"] == "customers"


def test_failed_tables_are_named_and_the_exit_code_says_so(dbrag: Dbrag, source: SourceDatabase) -> None:
    source.execute("CREATE TABLE shop.hidden (id integer)")
    updated = dbrag("catalog", "update", "cli-shop", "--schema", "shop")
    assert updated.exit_code == 3
    assert "✗ shop.hidden  permission_denied" in updated.stdout
    assert dbrag("catalog", "update", "cli-shop", "--table", "nothing").exit_code == 3
    no_wait = dbrag("catalog", "update", "cli-shop", "--no-wait")
    assert (no_wait.exit_code, len(no_wait.stdout.strip())) == (0, 36)


def test_what_is_wrong_is_said_in_a_line(dbrag: Dbrag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBRAG_DSN", "postgresql://reader:hidden-word@169.254.169.254/x")
    refused = dbrag("catalog", "add", "inside")
    assert refused.exit_code == 1
    assert "DBRAG_CONNECTIONS_ALLOW" in refused.output
    assert "hidden-word" not in refused.output
    assert "there is no connection" in dbrag("catalog", "update", "nowhere").output


def test_keys_are_made_and_dsns_encrypted_anew(dbrag: Dbrag, source: SourceDatabase, platform: Platform) -> None:
    key = dbrag("catalog", "new-key").stdout.strip()
    Fernet(key)
    anew = dbrag("catalog", "encrypt-anew")
    assert anew.exit_code == 0
    assert "DSNs are encrypted with the first key" in anew.output
    assert platform.client.get("/connections/cli-shop").json()["user"] == source.role
