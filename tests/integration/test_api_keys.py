"""API keys: which are taken, how one takes the place of another, and when they were last used."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from api_client import Call, body, caller
from psycopg.sql import SQL, Identifier

from api.app import Api
from dbrag.accounts import keys
from dbrag.accounts.model import ApiKey, Scope
from dbrag.database.pool import Connection, connect
from dbrag.errors import NotFound
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]
WEEK = timedelta(days=7)


@pytest.fixture
def conn(api_settings: Settings) -> Iterator[Connection]:
    """Each statement is a transaction."""
    with connect(api_settings, autocommit=True) as conn:
        yield conn


def prefix(key: str) -> str:
    return key.split("_")[1]


def listed(conn: Connection, key: str) -> ApiKey:
    (found,) = (each for each in keys.list_keys(conn, "default") if each.prefix == prefix(key))
    return found


def age(conn: Connection, key: str, column: str, by: timedelta) -> None:
    query = SQL("UPDATE api_keys SET {} = now() - %s WHERE prefix = %s").format(Identifier(column))
    conn.execute(query, [by, prefix(key)])


def refusal(call: Call) -> str:
    answer = call("GET", "/v1/jobs")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    return body(answer)["detail"]


def test_a_key_that_was_revoked_opens_nothing_from_the_next_request_on(
    app: Api, conn: Connection, key: Callable[..., str]
) -> None:
    made = key()
    call = caller(app, made)
    assert call("GET", "/v1/jobs").status_code == 200
    keys.revoke(conn, prefix(made))
    assert "unknown, expired or revoked" in refusal(call)


def test_a_key_that_has_expired_opens_nothing(app: Api, conn: Connection, key: Callable[..., str]) -> None:
    made = key()
    age(conn, made, "expires_at", timedelta(seconds=0))
    assert "unknown, expired or revoked" in refusal(caller(app, made))


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNzd29yZA==",
        "dbrag_01234567_" + "x" * 43,
        "Bearer dbrag_01234567_" + "x" * 42,
        "Bearer dbrag_01234567_" + "x" * 44,
        "Bearer DBRAG_01234567_" + "x" * 43,
        "Bearer dbrag_0123456%_" + "x" * 43,
        "Bearer dbrag_01234567_" + "é" * 43,
        "Bearer " + "x" * 5000,
        "Bearer '; DROP TABLE api_keys; --",
    ],
)
def test_what_is_no_key_is_401(app: Api, authorization: str) -> None:
    answer = app.test_client().get("/v1/jobs", headers={"Authorization": authorization})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_the_secret_of_another_key_does_not_fit(app: Api, key: Callable[..., str]) -> None:
    one, two = key(), key()
    assert "unknown" in refusal(caller(app, f"dbrag_{prefix(one)}_{two.split('_', 2)[2]}"))


def test_a_rotated_key_and_its_successor_both_work_for_the_same_tenant(
    app: Api, conn: Connection, key: Callable[..., str], collection: str
) -> None:
    old = key(Scope.READ, Scope.SEARCH)
    rotation = keys.rotate(conn, prefix(old), WEEK)
    for each in (old, rotation.key):
        assert caller(app, each)("GET", collection).status_code == 200
        assert caller(app, each)("DELETE", collection).status_code == 403
    before, after = listed(conn, old), listed(conn, rotation.key)
    assert (after.name, after.scopes, after.expires_at) == (before.name, before.scopes, None)
    assert before.replaced_by == after.prefix
    assert before.expires_at == rotation.old_expires_at
    assert timedelta() < before.expires_at - datetime.now(UTC) <= WEEK


def test_when_the_grace_period_is_over_only_the_successor_works(
    app: Api, conn: Connection, key: Callable[..., str]
) -> None:
    old = key()
    new = keys.rotate(conn, prefix(old), timedelta()).key
    refusal(caller(app, old))
    assert caller(app, new)("GET", "/v1/jobs").status_code == 200


def test_rotating_prolongs_nothing(conn: Connection) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    old = keys.create(conn, "default", "short", [Scope.READ], tomorrow)
    rotation = keys.rotate(conn, prefix(old), WEEK)
    assert listed(conn, old).expires_at == tomorrow
    assert rotation.expires_at is not None
    assert abs(rotation.expires_at - tomorrow) < timedelta(minutes=1), "it lives as long as the old one was to live"


@pytest.mark.parametrize("gone", ["rotated", "revoked", "expired", "unknown"])
def test_a_key_that_is_gone_or_has_a_successor_is_not_rotated(
    conn: Connection, key: Callable[..., str], gone: str
) -> None:
    old = key()
    match gone:
        case "rotated":
            keys.rotate(conn, prefix(old), WEEK)
        case "revoked":
            keys.revoke(conn, prefix(old))
        case "expired":
            age(conn, old, "expires_at", timedelta(seconds=0))
        case _:
            old = "dbrag_00000000_"
    before = len(keys.list_keys(conn, "default"))
    with pytest.raises(NotFound, match=r"no live key that can be rotated .*dbrag keys list"):
        keys.rotate(conn, prefix(old), WEEK)
    assert len(keys.list_keys(conn, "default")) == before


def test_a_keys_last_use_is_noted_once_a_minute(app: Api, conn: Connection, key: Callable[..., str]) -> None:
    made = key()
    call = caller(app, made)
    assert listed(conn, made).last_used_at is None
    call("GET", "/v1/jobs")
    first = listed(conn, made).last_used_at
    assert first is not None
    call("GET", "/v1/jobs")
    assert listed(conn, made).last_used_at == first
    age(conn, made, "last_used_at", keys.NOTE_EVERY + timedelta(seconds=1))
    call("GET", "/v1/jobs")
    noted = listed(conn, made).last_used_at
    assert noted is not None
    assert noted >= first


def test_a_wrong_secret_is_no_use(app: Api, conn: Connection, key: Callable[..., str]) -> None:
    made = key()
    refusal(caller(app, f"dbrag_{prefix(made)}_{'x' * 43}"))
    assert listed(conn, made).last_used_at is None


def test_noting_the_use_waits_for_nobody(
    app: Api, conn: Connection, api_settings: Settings, key: Callable[..., str]
) -> None:
    made = key()
    with connect(api_settings) as other:
        other.execute("SELECT FROM api_keys WHERE prefix = %s FOR UPDATE", [prefix(made)])
        assert caller(app, made)("GET", "/v1/jobs").status_code == 200
        assert listed(conn, made).last_used_at is None
    caller(app, made)("GET", "/v1/jobs")
    assert listed(conn, made).last_used_at is not None
