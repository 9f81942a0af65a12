"""Every address under /v1 with the scope that it needs: refused without it, let in with it alone."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from api_client import Call, body, caller
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from api.app import Api
from dbrag.accounts.model import Scope

pytest_plugins = ["api_fixtures"]
# A new address belongs here, beside the scope that was decided on.
ADDRESSES = {
    Scope.READ: [
        "GET /v1/collections",
        "GET /v1/collections/<name>",
        "GET /v1/collections/<name>/documents/<external_id:external_id>",
        "GET /v1/collections/<name>/index",
        "GET /v1/connections",
        "GET /v1/connections/<name>",
        "GET /v1/connections/<name>/tables",
        "GET /v1/connections/<name>/tables/<external_id:table>",
        "GET /v1/jobs",
        "GET /v1/jobs/<uuid:job_id>",
        "GET /v1/jobs/<uuid:job_id>/events",
        "GET /v1/jobs/<uuid:job_id>/items",
        "GET /v1/queues",
        "GET /v1/usage",
    ],
    Scope.SEARCH: [
        "POST /v1/catalog/search",
        "POST /v1/collections/<name>/search",
        "POST /v1/route",
    ],
    Scope.INGEST: [
        "DELETE /v1/collections/<name>/documents/<external_id:external_id>",
        "DELETE /v1/connections/<name>/descriptions/<external_id:table>",
        "POST /v1/collections/<name>/documents",
        "POST /v1/collections/<name>/embeddings",
        "POST /v1/collections/<string:name>/documents:batch",
        "POST /v1/connections/<string:name>/catalog:update",
        "POST /v1/jobs/<uuid:job_id>:cancel",
        "POST /v1/jobs/<uuid:job_id>:reprioritise",
        "POST /v1/jobs/<uuid:job_id>:retry",
        "POST /v1/jobs:retry",
        "PUT /v1/connections/<name>/descriptions/<external_id:table>",
    ],
    Scope.MANAGE: [
        "DELETE /v1/collections/<name>",
        "DELETE /v1/connections/<name>",
        "POST /v1/collections/<string:name>/index:rebuild",
        "POST /v1/collections/<string:name>/index:rollback",
        "POST /v1/collections/<string:name>:pause",
        "POST /v1/collections/<string:name>:resume",
        "PUT /v1/collections/<name>",
        "PUT /v1/connections/<name>",
    ],
}
OPEN = {"GET /v1/openapi.json"}
EACH = [(address, scope) for scope, addresses in ADDRESSES.items() for address in addresses]
VALUES = {"name": "any", "external_id": "a", "table": "public.t", "job_id": "00000000-0000-7000-8000-000000000000"}
Keys = Callable[..., str]


def methods(rule: Rule) -> set[str]:
    return set(rule.methods or ()) - {"HEAD", "OPTIONS"}


@pytest.fixture(scope="module")
def rules(app: Api) -> dict[str, Rule]:
    found = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/v1/")]
    return {f"{method} {rule.rule}": rule for rule in found for method in methods(rule)}


@pytest.fixture(scope="module")
def cached_key(key: Keys) -> Keys:
    return cache(key)


def visit(call: Call, address: str, rule: Rule, **request: Any) -> TestResponse:
    """Calls an address where nothing is."""
    built = rule.build({name: VALUES[name] for name in rule.arguments}, append_unknown=False)
    assert built
    return call(address.partition(" ")[0], built[1], **request)


def test_every_address_is_in_this_list(rules: dict[str, Rule]) -> None:
    assert rules.keys() == {address for address, _ in EACH} | OPEN


@pytest.mark.parametrize(("address", "scope"), EACH)
def test_a_key_with_all_other_scopes_is_refused_and_told_which_it_lacks(
    app: Api, cached_key: Keys, rules: dict[str, Rule], address: str, scope: Scope
) -> None:
    lacking = caller(app, cached_key(*sorted(set(Scope) - {scope})))
    answer = visit(lacking, address, rules[address], data=b"{", content_type="application/json")
    assert (answer.status_code, body(answer)["code"]) == (403, "forbidden")
    assert f"lacks the scope `{scope}`" in body(answer)["detail"]


@pytest.mark.parametrize(("address", "scope"), EACH)
def test_a_key_with_this_scope_alone_is_let_in(
    app: Api, cached_key: Keys, rules: dict[str, Rule], address: str, scope: Scope
) -> None:
    answer = visit(caller(app, cached_key(scope)), address, rules[address])
    assert answer.status_code not in (401, 403, 405)
    assert answer.status_code < 500


def test_head_needs_the_scope_of_get(app: Api, cached_key: Keys) -> None:
    assert caller(app, cached_key(Scope.READ))("HEAD", "/v1/jobs").status_code == 200
    assert caller(app, cached_key(Scope.SEARCH))("HEAD", "/v1/jobs").status_code == 403
