"""Every error is application/problem+json: what the API answers before it needs a database."""

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from api.app import Api, create_app
from dbrag.errors import Conflict, Fault, Invalid, Permanent, Transient
from dbrag.settings import Settings

RAISED = {
    "invalid": Invalid("wrong", faults=(Fault("/a", "is wrong"),)),
    "conflict": Conflict("not now"),
    "wait": Transient("the provider is busy", code="rate_limit", retry_after_s=1.2),
    "secret": Permanent("password=hunter2"),
    "bug": KeyError("password=hunter2"),
}


@pytest.fixture(scope="module")
def app() -> Iterator[Api]:
    nowhere = "127.0.0.1:1/0"
    app = create_app(Settings(DATABASE_URL=f"postgresql://{nowhere}", CELERY_BROKER_URL=f"redis://{nowhere}"))

    def fail(which: str) -> None:
        raise RAISED[which]

    app.add_url_rule("/raise/<which>", view_func=fail)
    yield app
    app.extensions["dbrag"].close()


@pytest.fixture
def client(app: Api) -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/no-such-thing", "/v1/", "/v1/openapi.json/x"])
@pytest.mark.parametrize("header", [None, "Basic abc", "Bearer", "Bearer  ", "dbrag_x"])
def test_without_a_key_everything_under_v1_is_401(client: FlaskClient, path: str, header: str | None) -> None:
    answer = client.get(path, headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json is not None
    assert answer.json["code"] == "unauthorized"
    assert answer.json["retryable"] is False


def test_a_problem_has_all_its_members(client: FlaskClient) -> None:
    answer = client.get("/raise/invalid", headers={"X-Request-ID": "order-66"})
    assert answer.status_code == 422
    assert answer.json == {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "wrong",
        "code": "invalid",
        "request_id": "order-66",
        "retryable": False,
        "errors": [{"pointer": "/a", "detail": "is wrong"}],
    }
    assert answer.headers["X-Request-ID"] == "order-66"


def test_waiting_helps_where_retry_after_says_so(client: FlaskClient) -> None:
    answer = client.get("/raise/wait")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert answer.json is not None
    assert answer.json["retryable"] is True
    assert "Retry-After" not in client.get("/raise/conflict").headers


@pytest.mark.parametrize("which", ["secret", "bug"])
def test_what_nobody_expected_is_500_and_tells_nothing(client: FlaskClient, which: str) -> None:
    answer = client.get(f"/raise/{which}")
    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    assert "hunter2" not in answer.text
    assert answer.json is not None
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("sent", ["", "two words", "a" * 129, "ä"])
def test_a_request_id_that_could_spoil_a_log_is_replaced(client: FlaskClient, sent: str) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": sent})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_an_unknown_address_is_404(client: FlaskClient) -> None:
    answer = client.get("/no-such-thing")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_a_wrong_method_is_405_and_names_the_right_ones(client: FlaskClient) -> None:
    answer = client.post("/healthz")
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_a_database_that_is_away_is_503_and_readiness_names_it(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["status"] == "unavailable"
    assert {name: check["ok"] for name, check in answer.json["checks"].items()} == {
        "database": False,
        "schema": False,
        "broker": False,
    }
    assert client.get("/healthz").json == {"status": "ok"}


def test_requests_are_counted_by_route_and_status(client: FlaskClient) -> None:
    client.post("/healthz")
    assert 'dbrag_http_requests_total{method="POST",route="unknown",status="405"}' in client.get("/metrics").text
