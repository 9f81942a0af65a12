"""Connections over HTTP: what is refused, and what is never shown."""

from collections.abc import Callable, Iterator

import pytest
from api_client import Call, body, caller, pointers

from api.app import create_app
from dbrag.accounts.model import Scope
from dbrag.catalog import clearing, connections, requests
from dbrag.catalog.secrets import Vault, new_key
from dbrag.database.pool import connect
from dbrag.jobs.model import Status
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]

DSN = "postgresql://reader:hidden-word@db.example.com:6543/shop?sslmode=require"
PATH = "/v1/connections/shop"


@pytest.fixture(scope="module")
def keyed(api_settings: Settings) -> Settings:
    """With a key for DSNs."""
    return api_settings.model_copy(update={"encryption_keys": type(api_settings.database_url)(new_key())})


@pytest.fixture
def calls(keyed: Settings, key: Callable[..., str]) -> Iterator[Callable[..., Call]]:
    """Callers of an API that has a key for DSNs, by tenant and scopes."""
    app = create_app(keyed)
    yield lambda *scopes, tenant="default": caller(app, key(*scopes, tenant=tenant))
    app.extensions["dbrag"].close()


@pytest.fixture
def call(calls: Callable[..., Call]) -> Iterator[Call]:
    call = calls()
    yield call
    call("DELETE", PATH)


def test_a_connection_is_put_shown_listed_changed_and_deleted(call: Call) -> None:
    put = call("PUT", PATH, json={"dsn": DSN, "masking": {"columns": ["note"]}})
    assert put.status_code == 201
    shown = body(put)
    assert (shown["host"], shown["port"], shown["database"]) == ("db.example.com", "6543", "shop")
    assert (shown["user"], shown["sslmode"], shown["tables"]) == ("reader", "require", 0)
    assert shown["masking"] == {"columns": ["note"], "shown": []}
    assert body(call("GET", PATH)) == shown
    assert body(call("GET", "/v1/connections"))["data"] == [shown]
    changed = call("PUT", PATH, json={"dsn": DSN.replace("shop", "store"), "sample_rows": 0, "update_every_s": 3600})
    assert (changed.status_code, body(changed)["database"], body(changed)["sample_rows"]) == (200, "store", 0)
    assert "hidden-word" not in put.text + changed.text
    assert call("DELETE", PATH).status_code == 204
    assert call("GET", PATH).status_code == 404


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({}, "/dsn"),
        ({"dsn": "not a dsn hidden-word"}, "/dsn"),
        ({"dsn": "mysql://reader:hidden-word@db/shop"}, "/dsn"),
        ({"dsn": "postgresql://db.example.com/shop"}, "/dsn"),
        ({"dsn": DSN + "&options=-c%20statement_timeout%3D0"}, "/dsn"),
        ({"dsn": DSN + "&passfile=/etc/passwd"}, "/dsn"),
        ({"dsn": "postgresql://reader:hidden-word@127.0.0.1/shop"}, "/dsn"),
        ({"dsn": "postgresql://reader:hidden-word@localhost/shop"}, "/dsn"),
        ({"dsn": "postgresql://reader:hidden-word@127.1/shop"}, "/dsn"),
        ({"dsn": "postgresql://reader:hidden-word@169.254.169.254/shop"}, "/dsn"),
        ({"dsn": "postgresql://reader:hidden-word@[::ffff:127.0.0.1]/shop"}, "/dsn"),
        ({"dsn": "host=/var/run user=reader dbname=shop"}, "/dsn"),
        ({"dsn": DSN, "sample_rows": 21}, "/sample_rows"),
        ({"dsn": DSN, "sample_rows": "5"}, "/sample_rows"),
        ({"dsn": DSN, "update_every_s": 5}, "/update_every_s"),
        ({"dsn": DSN, "masking": {"columns": ["("]}}, "/masking/columns/0"),
        ({"dsn": DSN, "unknown": 1}, "/unknown"),
    ],
)
def test_what_cannot_be_used_is_refused_at_its_place_and_not_repeated(
    call: Call, sent: dict[str, object], pointer: str
) -> None:
    answer = call("PUT", PATH, json=sent)
    assert answer.status_code == 422
    assert pointers(answer) == [pointer]
    assert "hidden-word" not in answer.text
    assert call("GET", PATH).status_code == 404


def test_dbrags_own_servers_are_refused(call: Call, keyed: Settings) -> None:
    for url in (keyed.database_url, keyed.celery_broker_url, keyed.cache_url):
        assert url
        host_and_port = url.get_secret_value().split("@")[-1].split("/")[0]
        database = "dbrag" if url is keyed.database_url else "0"
        answer = call("PUT", PATH, json={"dsn": f"postgresql://dbrag:x@{host_and_port}/{database}"})
        assert (answer.status_code, body(answer)["code"]) == (422, "address_refused")


def test_without_a_key_there_are_no_connections(app: object, key: Callable[..., str]) -> None:
    answer = caller(app, key())("PUT", PATH, json={"dsn": DSN})  # pyright: ignore[reportArgumentType]
    assert (answer.status_code, body(answer)["code"]) == (422, "not_available")
    assert "DBRAG_ENCRYPTION_KEYS" in body(answer)["detail"]


def test_scopes_and_tenants(call: Call, calls: Callable[..., Call]) -> None:
    call("PUT", PATH, json={"dsn": DSN})
    assert calls(Scope.READ)("PUT", PATH, json={"dsn": DSN}).status_code == 403
    assert calls(Scope.READ)("POST", f"{PATH}/catalog:update", json={}).status_code == 403
    assert calls(Scope.INGEST)("GET", f"{PATH}/tables").status_code == 403
    stranger = calls(tenant="stranger")
    assert stranger("GET", PATH).status_code == 404
    assert stranger("POST", f"{PATH}/catalog:update", json={}).status_code == 404
    assert stranger("DELETE", PATH).status_code == 404
    assert body(stranger("GET", "/v1/connections"))["data"] == []
    # The same name is another connection.
    assert stranger("PUT", PATH, json={"dsn": DSN}).status_code == 201
    stranger("DELETE", PATH)
    assert call("GET", PATH).status_code == 200


def test_an_update_is_accepted_with_one_item_and_its_collection_is_nobodys(call: Call) -> None:
    call("PUT", PATH, json={"dsn": DSN})
    answer = call("POST", f"{PATH}/catalog:update", json={"schema": "public", "queue": "low"})
    assert answer.status_code == 202
    job = body(answer)
    assert (job["kind"], job["status"], job["queue"]) == ("update_metadata_catalog", "queued", "low")
    assert job["counts"]["total"] == 1
    assert [item["external_id"] for item in body(call("GET", f"/v1/jobs/{job['id']}/items"))["data"]] == ["shop"]
    assert ".catalog" not in [one["name"] for one in body(call("GET", "/v1/collections?limit=200"))["data"]]
    assert call("GET", "/v1/collections/.catalog").status_code == 404
    assert call("DELETE", PATH).status_code == 204
    assert body(call("GET", f"/v1/jobs/{job['id']}"))["status"] == "cancelling"


@pytest.mark.parametrize("sent", [{"schema": 1}, {"queue": "urgent"}, {"force": "yes"}, {"else": 1}, {"table": "a\0b"}])
def test_an_update_of_who_knows_what_is_refused(call: Call, sent: dict[str, object]) -> None:
    call("PUT", PATH, json={"dsn": DSN})
    assert call("POST", f"{PATH}/catalog:update", json=sent).status_code == 422


@pytest.mark.parametrize("name", ["Shop", "a b", "-shop", "x" * 64])
def test_a_name_that_is_none_is_refused(call: Call, name: str) -> None:
    assert call("PUT", f"/v1/connections/{name}", json={"dsn": DSN}).status_code == 422
    assert call("GET", f"/v1/connections/{name}").status_code == 404


def test_beat_asks_for_an_update_that_is_due_and_for_one_only(call: Call, keyed: Settings) -> None:
    call("PUT", PATH, json={"dsn": DSN, "update_every_s": 3600})
    with connect(keyed) as conn:
        assert requests.request_due(conn, keyed) == 1
    with connect(keyed) as conn:
        assert requests.request_due(conn, keyed) == 0, "it is under way"
        [job] = conn.execute("SELECT queue, status FROM jobs WHERE params ? 'connection_id' ORDER BY id DESC LIMIT 1")
        assert job == ("low", Status.QUEUED)
        conn.execute("""UPDATE jobs SET status = 'failed', finished_at = now(), failed = total, publish_at = NULL
                        WHERE params ? 'connection_id' AND status = 'queued'""")
        assert requests.request_due(conn, keyed) == 0, "it has just been tried"
        conn.execute("UPDATE jobs SET created_at = now() - interval '2 hours' WHERE params ? 'connection_id'")
        assert requests.request_due(conn, keyed) == 1


def test_keys_can_be_changed_without_losing_a_connection(call: Call, keyed: Settings) -> None:
    call("PUT", PATH, json={"dsn": DSN})
    old = keyed.encryption_keys
    assert old
    both = keyed.model_copy(update={"encryption_keys": type(old)(f"{new_key()},{old.get_secret_value()}")})
    with connect(keyed) as conn:
        assert connections.encrypt_anew(conn, both) >= 1
        tenant_id = conn.execute("SELECT id FROM tenants WHERE name = 'default'").fetchone()[0]  # pyright: ignore[reportOptionalSubscript]
        connection = connections.get(conn, tenant_id, "shop")
        assert Vault(both).decrypt(connection.dsn) == DSN
        conn.rollback()


def test_what_is_left_of_a_deleted_connection_is_removed(call: Call, app: object, keyed: Settings) -> None:
    call("PUT", PATH, json={"dsn": DSN})
    call("DELETE", PATH)
    process = app.extensions["dbrag"]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
    clearing.clear_connections(process.runtime.pool)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    with connect(keyed) as conn:
        waiting = conn.execute("""SELECT FROM connections c WHERE deleted_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM jobs j WHERE j.params ->> 'connection_id' = c.id::text AND j.finished_at IS NULL)""")
        assert waiting.fetchall() == []
