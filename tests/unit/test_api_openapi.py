"""The OpenAPI document and its pages."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.app import Api, create_app
from dbrag.settings import Settings


@pytest.fixture(scope="module")
def app() -> Api:
    return create_app(Settings(DATABASE_URL="postgresql://127.0.0.1:1/none", CELERY_BROKER_URL="redis://127.0.0.1:1/0"))


@pytest.fixture(scope="module")
def client(app: Api) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="module")
def document(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.json is not None
    return answer.json


def test_the_document_is_openapi_3_1_and_needs_no_key(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")


def test_every_reference_in_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r"#/components/schemas/[^']+", repr(document)))
    assert references
    assert {name.rpartition("/")[2] for name in references} <= document["components"]["schemas"].keys()


def test_every_parameter_of_a_path_is_described(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            described = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            assert described == set(re.findall(r"{(\w+)}", path)), path


def test_every_operation_names_its_errors_and_its_key(document: dict[str, Any]) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            assert "application/problem+json" in operation["responses"]["422"]["content"]
            for status in ("401", "403", "429"):
                assert "application/problem+json" in operation["responses"][status]["content"]
            assert operation["security"] == [{"key": []}, {"jwt": []}]


def test_what_makes_jobs_says_that_too_much_may_wait(document: dict[str, Any]) -> None:
    for path in ("documents", "documents:batch", "embeddings"):
        responses = document["paths"][f"/v1/collections/{{name}}/{path}"]["post"]["responses"]
        for status in ("429", "503"):
            assert "too_much_waiting" in responses[status]["description"]
            assert "Retry-After" in responses[status]["headers"]
            assert "application/problem+json" in responses[status]["content"]


def test_every_view_under_v1_says_which_scope_it_needs(app: Api) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/v1/")]
    without = {rule.rule for rule in rules if not hasattr(app.view_functions[rule.endpoint], "scope")}
    assert without == {"/v1/openapi.json"}


def test_the_pages_need_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert parts
    for part in parts:
        with client.get(part) as answer:  # a file, to be closed
            assert answer.status_code == 200, part
