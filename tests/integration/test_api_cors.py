"""Browsers on pages of other origins: refused by saying nothing, unless their origin is named."""

from collections.abc import Callable, Iterator

import pytest
from api_client import Call, caller
from werkzeug.test import TestResponse

from api.app import Api, create_app
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]
OURS, FOREIGN = "https://app.example.com", "https://evil.example.com"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture(scope="module")
def open_app(api_settings: Settings) -> Iterator[Api]:
    app = create_app(Settings.model_validate(api_settings.model_dump() | {"cors_origins": [OURS]}))
    yield app
    app.extensions["dbrag"].close()


@pytest.fixture
def open_call(open_app: Api, key: Callable[..., str]) -> Call:
    return caller(open_app, key())


def ask(app: Api, origin: str, path: str = "/v1/jobs") -> TestResponse:
    return app.test_client().options(path, headers={"Origin": origin} | PREFLIGHT)


def cors(answer: TestResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.startswith("Access-Control-")}


def test_a_page_of_a_named_origin_may_ask_without_a_key(open_app: Api) -> None:
    answer = ask(open_app, OURS)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"Authorization", "Content-Type", "Idempotency-Key", "Prefer", "Last-Event-ID"} <= set(allowed)
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_every_method_of_the_api_is_allowed(open_app: Api) -> None:
    allowed = set(ask(open_app, OURS).headers["Access-Control-Allow-Methods"].split(", "))
    used = {method for rule in open_app.url_map.iter_rules() if rule.rule.startswith("/v1/") for method in rule.methods}
    assert used - {"HEAD", "OPTIONS"} == allowed


def test_its_requests_are_answered_with_headers_that_it_may_read(open_call: Call) -> None:
    answer = open_call("GET", "/v1/jobs", headers={"Origin": OURS})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, OURS)
    shown = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"Location", "Retry-After", "ETag", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} <= shown
    assert "Origin" in answer.headers["Vary"]


def test_its_errors_are_readable_too(open_app: Api) -> None:
    answer = open_app.test_client().get("/v1/jobs", headers={"Origin": OURS})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, OURS)


@pytest.mark.parametrize("origin", [FOREIGN, "null", OURS + ".evil.example", OURS + ":8443", "http://app.example.com"])
def test_a_page_of_another_origin_gets_no_header(open_app: Api, open_call: Call, origin: str) -> None:
    asked, answer = ask(open_app, origin), open_call("GET", "/v1/jobs", headers={"Origin": origin})
    assert (asked.status_code, cors(asked)) == (401, {})
    assert (answer.status_code, cors(answer)) == (200, {})
    assert "Origin" in answer.headers["Vary"], "a cache must not give it to a page that may read it"


def test_what_is_not_under_v1_is_for_no_page(open_app: Api) -> None:
    assert cors(open_app.test_client().get("/healthz", headers={"Origin": OURS})) == {}
    assert cors(ask(open_app, OURS, "/metrics")) == {}


def test_options_without_a_preflights_header_need_a_key(open_app: Api, open_call: Call) -> None:
    assert open_app.test_client().options("/v1/jobs", headers={"Origin": OURS}).status_code == 401
    assert open_call("OPTIONS", "/v1/jobs").headers["Allow"].split(", ").count("GET") == 1


def test_by_default_there_is_no_header_for_anybody(app: Api, call: Call) -> None:
    asked, answer = ask(app, OURS), call("GET", "/v1/jobs", headers={"Origin": OURS})
    assert (asked.status_code, cors(asked)) == (401, {})
    assert (answer.status_code, cors(answer)) == (200, {})
    assert "Vary" not in answer.headers
