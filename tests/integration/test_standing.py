"""What a relay tells Prometheus of the installation as a whole."""

from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry, Counter

from dbrag.database.pool import Connection
from dbrag.documents.accept import accept
from dbrag.documents.ingest import ingest
from dbrag.documents.model import Collection, Submission
from dbrag.jobs.model import Kind, Queue
from dbrag.jobs.relay import Relay
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from dbrag.telemetry.standing import Standing

pytestmark = pytest.mark.usefixtures("redis")


def told(settings: Settings) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Standing(settings))
    return registry


def submit(conn: Connection, collection: Collection) -> UUID:
    with conn.transaction():
        return accept(conn, collection, Kind.INGEST_DOCUMENT, Queue.LOW, [Submission("a", text="Some text.")]).id


def test_a_job_is_told_where_it_waits(
    conn: Connection, own_collection: Collection, runtime: Runtime, relay: Relay, settings: Settings
) -> None:
    def now(name: str, **labels: str) -> float:
        value = told(settings).get_sample_value(name, labels)
        assert value is not None, name
        return value

    job_id = submit(conn, own_collection)
    conn.execute("UPDATE jobs SET created_at = now() - interval '100 s' WHERE id = %s", [job_id])
    assert now("dbrag_outbox_jobs", queue="low") >= 1
    assert now("dbrag_outbox_seconds", queue="low") >= 100
    assert now("dbrag_jobs", kind="ingest_document", queue="low", status="queued") >= 1
    messages, marked = now("dbrag_queue_messages", queue="low"), now("dbrag_outbox_jobs", queue="low")
    relay.publish()
    assert now("dbrag_outbox_jobs", queue="low") == marked - 1
    assert now("dbrag_queue_published", queue="low") >= 1
    assert now("dbrag_queue_messages", queue="low") > messages
    texts = now("dbrag_queue_texts", queue="low")
    ingest(runtime, job_id)
    assert now("dbrag_queue_texts", queue="low") == texts + 1


def test_budgets_that_are_nearly_spent_are_counted_and_no_tenant_is_named(
    conn: Connection, own_collection: Collection, settings: Settings
) -> None:
    before = told(settings).get_sample_value("dbrag_budgets_nearly_spent") or 0
    spent = told(settings).get_sample_value("dbrag_budgets_spent")
    conn.execute("UPDATE tenants SET budget_day_usd = 10 WHERE id = %s", [own_collection.tenant_id])
    spend = "INSERT INTO usage (tenant_id, model, cost_usd) VALUES (%s, 'm', %s)"
    conn.execute(spend, [own_collection.tenant_id, 8.9])
    assert told(settings).get_sample_value("dbrag_budgets_nearly_spent") == before
    conn.execute(spend, [own_collection.tenant_id, 0.2])
    assert told(settings).get_sample_value("dbrag_budgets_nearly_spent") == before + 1
    assert told(settings).get_sample_value("dbrag_budgets_spent") == spent
    conn.execute("UPDATE tenants SET budget_day_usd = NULL WHERE id = %s", [own_collection.tenant_id])


def test_every_part_is_read_from_servers_that_are_well(settings: Settings) -> None:
    read = [
        sample
        for metric in told(settings).collect()
        if metric.name == "dbrag_standing_read"
        for sample in metric.samples
    ]
    assert {sample.labels["part"]: sample.value for sample in read} == dict.fromkeys(
        ("jobs", "queues", "consumers", "segments", "budgets", "pauses", "schema", "broker", "cache", "governor"), 1
    )
    assert told(settings).get_sample_value("dbrag_schema_current") == 1


def test_whoever_asks_only_whether_a_relay_lives_waits_for_no_server(settings: Settings) -> None:
    alive = Counter("dbrag_relay_passes", "As the relay's.", registry=(registry := told(settings)))
    alive.inc()
    asked = registry.restricted_registry(["dbrag_relay_passes_total"]).collect()
    assert [metric.name for metric in asked] == ["dbrag_relay_passes"]


def test_servers_that_are_away_leave_their_parts_out_and_are_told(settings: Settings) -> None:
    away = settings.model_copy(
        update={
            name: type(settings.database_url)(f"{scheme}://127.0.0.1:1/0")
            for name, scheme in (("database_url", "postgresql"), ("celery_broker_url", "redis"), ("cache_url", "redis"))
        }
    )
    metrics = list(told(away).collect())
    assert [metric.name for metric in metrics] == ["dbrag_standing_read"]
    assert {sample.value for sample in metrics[0].samples} == {0}
    assert len(metrics[0].samples) == 10
