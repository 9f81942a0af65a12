"""Whatever is sent to an address, the answer is one that the OpenAPI document describes, and never a 500."""

from collections.abc import Callable, Iterator

import pytest
import schemathesis
from api_client import caller
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import Api, create_app
from dbrag.catalog.secrets import new_key
from dbrag.settings import Settings
from tests.provider.process import ProviderServer

pytest_plugins = ["api_fixtures"]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# The same requests each time, and a failure as it was found: making it smaller would take minutes.
BOUNDED = settings(
    max_examples=20,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def whole_app(api_settings: Settings, provider: ProviderServer) -> Iterator[Api]:
    """With nothing turned off: there is a provider, and a key to encrypt DSNs with."""
    more = {"openai_base_url": provider.url, "openai_api_key": "test", "encryption_keys": new_key()}
    app = create_app(Settings.model_validate(api_settings.model_dump() | more))
    yield app
    app.extensions["dbrag"].close()


@pytest.fixture(scope="module")
def headers(whole_app: Api, key: Callable[..., str]) -> dict[str, str]:
    """Of a tenant whose collection has the name that is tried first."""
    token = key(tenant="fuzz")
    assert caller(whole_app, token)("PUT", "/v1/collections/0", json={"dimensions": 4}).status_code == 201
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_one_that_the_document_describes(
    whole_app: Api, headers: dict[str, str], subtests: pytest.Subtests, mode: GenerationMode
) -> None:
    document = schemathesis.openapi.from_wsgi("/v1/openapi.json", whole_app)
    for operation in [found.ok() for found in document.get_all_operations()]:

        @BOUNDED
        @given(case=operation.as_strategy(generation_mode=mode))
        def fuzz(case: Case) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        with subtests.test(operation.label):
            fuzz()
