"""Searching the catalog, and routing questions, over HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from dbrag.catalog import strangers
from dbrag.catalog.side import Asked
from dbrag.documents.model import Collection
from dbrag.runtime import Runtime
from tests.integration.catalog_database import SourceDatabase, source_database
from tests.provider.process import ProviderServer
from tests.running import Platform


@pytest.fixture
def searcher(platform: Platform) -> Iterator[tuple[httpx.Client, SourceDatabase]]:
    """A tenant of its own with two connections, `one` and `two`, to the same described database."""
    client = platform.client_for(f"searcher-{len(platform.clients)}")
    with source_database(platform.servers.env["DATABASE_URL"]) as source:
        for name in ("one", "two"):
            client.put(f"/connections/{name}", json={"dsn": source.dsn}).raise_for_status()
            job = client.post(f"/connections/{name}/catalog:update", json={}, headers={"Prefer": "wait=30"}).json()
            assert job["status"] == "succeeded", job
        yield client, source
        for name in ("one", "two"):
            client.delete(f"/connections/{name}")


def ask(client: httpx.Client, query: str, **more: Any) -> dict[str, Any]:
    return client.post("/catalog/search", json={"query": query, **more}).raise_for_status().json()


def names(answer: dict[str, Any]) -> list[str]:
    return [f"{hit['connection']}:{hit['table']}" for hit in answer["data"]]


def test_tables_come_with_their_columns_and_joins(searcher: tuple[httpx.Client, SourceDatabase]) -> None:
    client, _ = searcher
    answer = ask(client, "loyalty points of a customer's orders", connections=["one"], mode="text")
    first = answer["data"][0]
    assert (first["connection"], first["schema"], first["table"]) == ("one", "shop", "customers")
    assert "loyalty_points" in [column["name"] for column in first["columns"]]
    assert first["description"]["purpose"].startswith("People who have bought something")
    assert first["primary_key"] == ["customer_id"]
    [path] = [
        p
        for p in answer["joins"]
        if {p["steps"][0]["from_table"], p["steps"][-1]["to_table"]} == {"shop.customers", "shop.orders"}
    ]
    assert len(path["steps"]) == 1
    assert path["steps"][0]["from_columns"] == path["steps"][0]["to_columns"] == ["customer_id"]


def test_connections_are_searched_together_or_as_named(searcher: tuple[httpx.Client, SourceDatabase]) -> None:
    client, _ = searcher
    both = names(ask(client, "vouchers", mode="text"))
    assert {"one:vouchers", "two:vouchers"} <= set(both)
    assert {name.split(":")[0] for name in names(ask(client, "vouchers", connections=["two"]))} == {"two"}
    assert set(names(ask(client, "vouchers", connections=["one", "two"], mode="text"))) == set(both)
    assert len(ask(client, "orders", limit=1)["data"]) == 1


def test_what_is_dropped_or_deleted_is_found_no_more(searcher: tuple[httpx.Client, SourceDatabase]) -> None:
    client, source = searcher
    source.execute("DROP TABLE shop.vouchers")
    client.post("/connections/one/catalog:update", json={}, headers={"Prefer": "wait=30"}).raise_for_status()
    assert "one:vouchers" not in names(ask(client, "vouchers", mode="text"))
    client.delete("/connections/two").raise_for_status()
    assert {name.split(":")[0] for name in names(ask(client, "orders of customers"))} <= {"one"}
    assert client.post("/catalog/search", json={"query": "a", "connections": ["two"]}).status_code == 404


def test_another_tenant_finds_nothing(platform: Platform, searcher: tuple[httpx.Client, SourceDatabase]) -> None:
    stranger = platform.client_for("stranger-to-the-catalog")
    assert ask(stranger, "orders of customers") == {"data": [], "joins": []}
    assert stranger.post("/catalog/search", json={"query": "a", "connections": ["one"]}).status_code == 404
    routed = stranger.post("/route", json={"query": "orders of customers"}).raise_for_status().json()
    assert routed == {"target": "none", "scores": {"documents": 0, "tables": 0}, "documents": [], "tables": []}


def test_a_question_is_routed_by_what_is_found(
    platform: Platform, searcher: tuple[httpx.Client, SourceDatabase]
) -> None:
    client, _ = searcher
    client.put("/collections/rules", json={}).raise_for_status()
    document = {"external_id": "rule", "text": "Absence policy. Sick employees report before nine o'clock."}
    client.post("/collections/rules/documents", json=document, headers={"Prefer": "wait=30"}).raise_for_status()

    def route(query: str, **more: Any) -> dict[str, Any]:
        return client.post("/route", json={"query": query, **more}).raise_for_status().json()

    # The stand-in's vectors mean nothing, but that a text is nearest to itself.
    by_rule, by_table = route(document["text"]), route("loyalty points of customers", limit=1)
    assert by_rule["documents"][0]["external_id"] == "rule"
    assert by_rule["documents"][0]["collection"] == "rules"
    assert [hit["table"] for hit in by_table["tables"]] == ["customers"]
    assert by_rule["target"] == "documents"
    assert by_rule["scores"]["documents"] > by_table["scores"]["documents"]
    assert by_table["scores"]["tables"] > by_rule["scores"]["tables"]
    assert all(0 <= score <= 1 for answer in (by_rule, by_table) for score in answer["scores"].values())
    platform.provider.forget()
    route("loyalty points of customers", limit=2)
    assert platform.provider.stats()["requests"] == 0, "the question's vector is in the cache"
    for name in ("nothing", ".catalog"):
        refused = client.post("/route", json={"query": "a", "collections": [name]})
        assert (refused.status_code, name in refused.json()["detail"]) == (404, True)
    assert route("loyalty", collections=["rules"], connections=["one"])["target"] in ("tables", "none")


def test_a_question_is_embedded_once_a_model_and_sides_of_different_models_are_compared(
    platform: Platform, searcher: tuple[httpx.Client, SourceDatabase]
) -> None:
    client, _ = searcher
    for name, dimensions in (("short", 64), ("long", 128), ("also-long", 128)):
        client.put(f"/collections/{name}", json={"dimensions": dimensions}).raise_for_status()
        document = {"external_id": name, "text": f"A {name} note about the lighthouse and its keeper."}
        client.post(f"/collections/{name}/documents", json=document, headers={"Prefer": "wait=30"}).raise_for_status()
    names = ["short", "long", "also-long"]
    client.post("/route", json={"query": "the first question", "collections": names}).raise_for_status()
    platform.provider.forget()
    answer = client.post("/route", json={"query": "the lighthouse keeper", "collections": names}).raise_for_status()
    stats = platform.provider.stats()
    assert (stats["requests"], stats["inputs"]) == (3, [1, 1, 1]), "of two lengths of documents, and of the tables"
    assert {hit["collection"] for hit in answer.json()["documents"]} == set(names)


def test_what_a_models_similarities_are_worth_is_paid_for_once_without_a_cache_too(
    runtime: Runtime, provider: ProviderServer, own_collection: Collection
) -> None:
    uncached = replace(runtime, cache=None, measures={})
    provider.forget()
    seen = [Asked(uncached, query).seen_by(own_collection) for query in ("the first question", "the second question")]
    assert provider.stats()["inputs"] == [1 + len(strangers.TEXTS), 1]
    assert seen[0][1] == seen[1][1]


def test_documents_whose_words_are_not_looked_up_are_routed_to_by_meaning(
    platform: Platform, searcher: tuple[httpx.Client, SourceDatabase]
) -> None:
    client, _ = searcher
    client.put("/collections/mute", json={"language": "none"}).raise_for_status()
    document = {"external_id": "mute", "text": "the keeper of the lighthouse"}
    client.post("/collections/mute/documents", json=document, headers={"Prefer": "wait=30"}).raise_for_status()
    question = {"query": "the keeper of the lighthouse", "collections": ["mute"]}
    answer = client.post("/route", json=question).raise_for_status().json()
    assert [hit["external_id"] for hit in answer["documents"]] == ["mute"]
    assert answer["target"] == "documents", "the same text has the same vector"


def test_a_question_without_a_word_that_counts_is_no_error(searcher: tuple[httpx.Client, SourceDatabase]) -> None:
    client, _ = searcher
    assert names(ask(client, "who is it of the?", mode="text")) == []
    assert 0 <= client.post("/route", json={"query": "who is it?"}).raise_for_status().json()["scores"]["tables"] <= 1


def test_a_table_that_refers_to_itself_is_joined_with_itself(searcher: tuple[httpx.Client, SourceDatabase]) -> None:
    client, source = searcher
    source.execute("CREATE TABLE shop.staff (id int PRIMARY KEY, boss_id int REFERENCES shop.staff)")
    source.grant()
    client.post("/connections/one/catalog:update", json={}, headers={"Prefer": "wait=30"}).raise_for_status()
    [path] = ask(client, "staff", connections=["one"], mode="text", limit=1)["joins"]
    assert [(step["from_columns"], step["to_columns"]) for step in path["steps"]] == [(["boss_id"], ["id"])]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": " "},
        {"query": "a", "limit": 0},
        {"query": "a", "limit": 101},
        {"query": "a", "mode": "best"},
        {"query": "a", "connections": []},
        {"query": "a", "connections": "one"},
        {"query": "a", "else": 1},
        {"query": "a\0b"},
    ],
)
def test_a_question_that_is_none_is_refused(platform: Platform, body: dict[str, Any]) -> None:
    for path in ("/catalog/search", "/route"):
        answer = platform.client.post(path, json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
