"""JWTs in requests: taken where they are on, for the tenant and the scopes that they name."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import jwt
import pytest
from api_client import Call, body, caller
from console_client import sign_in

from api.app import Api, create_app
from dbrag.accounts import tenants
from dbrag.database.pool import connect
from dbrag.errors import Invalid
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]
SECRET = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def jwt_app(api_settings: Settings) -> Iterator[Api]:
    app = create_app(
        Settings.model_validate(api_settings.model_dump() | {"jwt_secret": SECRET, "rate_limit": "2/hour"})
    )
    yield app
    app.extensions["dbrag"].close()


@pytest.fixture
def tenant(api_settings: Settings) -> str:
    name = f"jwt-{uuid4()}"
    with connect(api_settings) as conn:
        assert tenants.create(conn, name)
    return name


@pytest.fixture
def holder(jwt_app: Api, tenant: str) -> Callable[..., Call]:
    """Calls with a JWT for the tenant, and what else it says."""
    return lambda **claims: caller(
        jwt_app, jwt.encode({"tenant": tenant, "scope": "read", "exp": int(time.time()) + 60} | claims, SECRET, "HS256")
    )


def test_a_jwt_acts_for_its_tenant_within_its_scopes(holder: Callable[..., Call], call: Call, collection: str) -> None:
    name = collection.rpartition("/")[2]
    assert body(holder()("GET", "/v1/collections"))["data"] == []
    assert holder(sub="a")("GET", collection).status_code == 404, "another tenant's"
    assert holder(scope="manage")("PUT", collection, json={"dimensions": 4}).status_code == 201
    assert body(holder(sub="b")("GET", "/v1/collections"))["data"][0]["name"] == name
    assert call("GET", collection).status_code == 200


def test_a_jwt_signs_in_to_the_console_until_it_expires(jwt_app: Api, tenant: str) -> None:
    claims = {"tenant": tenant, "scope": "read", "sub": tenant}
    browser = sign_in(jwt_app, jwt.encode(claims | {"exp": int(time.time()) + 60}, SECRET, "HS256"))
    assert browser.get("/console/jobs").status_code == 200
    expired = jwt.encode(claims | {"exp": int(time.time()) - 600}, SECRET, "HS256")
    browser.set_cookie("dbrag_console", expired, path="/console")
    assert browser.get("/console/jobs").location.startswith("/console/sign-in?")


def test_a_jwt_without_the_scope_is_told_which(holder: Callable[..., Call]) -> None:
    answer = holder(scope="search ingest manage openid")("GET", "/v1/jobs")
    assert answer.status_code == 403
    assert "this JWT lacks the scope `read`" in body(answer)["detail"]


def test_a_tenant_that_nobody_made_is_refused_with_what_to_do(holder: Callable[..., Call]) -> None:
    answer = holder(tenant="nobody's")("GET", "/v1/jobs")
    assert (answer.status_code, body(answer)["code"]) == (403, "forbidden")
    assert "dbrag tenants create" in body(answer)["detail"]


def test_a_wrong_jwt_is_401_with_the_reason(holder: Callable[..., Call]) -> None:
    answer = holder(exp=1)("GET", "/v1/jobs")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "has expired" in body(answer)["detail"]


def test_where_they_are_off_a_jwt_is_told_so(app: Api, holder: Callable[..., Call]) -> None:
    token = jwt.encode({"tenant": "default", "exp": int(time.time()) + 60}, SECRET, "HS256")
    answer = caller(app, token)("GET", "/v1/jobs")
    assert answer.status_code == 401
    assert "JWTs are off here" in body(answer)["detail"]


def test_api_keys_are_taken_beside_jwts(jwt_app: Api, key: Callable[..., str]) -> None:
    assert caller(jwt_app, key())("GET", "/v1/jobs").status_code == 200


def test_requests_are_counted_for_each_subject(holder: Callable[..., Call]) -> None:
    def left(**claims: Any) -> str:
        return holder(**claims)("GET", "/v1/jobs").headers["RateLimit-Remaining"]

    assert [left(sub="ann"), left(sub="bob"), left(sub="ann"), left()] == ["1", "1", "0", "1"]


def test_a_tenant_is_made_once_and_has_a_name_that_can_be_read(api_settings: Settings, tenant: str) -> None:
    with connect(api_settings) as conn:
        assert not tenants.create(conn, tenant)
        for name in ("", " ", "a\nb"):
            with pytest.raises(Invalid, match="printable text"):
                tenants.create(conn, name)
