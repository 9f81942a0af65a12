"""Who may do what over HTTP, and what nobody can do yet."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from api_client import Call, body, caller

from api.app import Api
from dbrag.accounts.model import Scope

pytest_plugins = ["api_fixtures"]
NO_ONE = "00000000-0000-7000-8000-000000000000"


def addresses(collection: str, job: str) -> list[tuple[str, str, Scope]]:
    return [
        ("GET", collection, Scope.READ),
        ("GET", f"{collection}/index", Scope.READ),
        ("GET", f"{collection}/documents/a", Scope.READ),
        ("GET", job, Scope.READ),
        ("GET", f"{job}/items", Scope.READ),
        ("GET", f"/v1/jobs?collection={collection.rpartition('/')[2]}", Scope.READ),
        ("POST", f"{collection}/search", Scope.SEARCH),
        ("POST", f"{collection}/documents", Scope.INGEST),
        ("POST", f"{collection}/documents:batch", Scope.INGEST),
        ("POST", f"{collection}/embeddings", Scope.INGEST),
        ("DELETE", f"{collection}/documents/a", Scope.INGEST),
        ("POST", f"{job}:cancel", Scope.INGEST),
        ("POST", f"{job}:retry", Scope.INGEST),
        ("POST", f"{job}:reprioritise", Scope.INGEST),
        ("POST", "/v1/jobs:retry", Scope.INGEST),
        ("POST", f"{collection}:pause", Scope.MANAGE),
        ("POST", f"{collection}:resume", Scope.MANAGE),
        ("POST", f"{collection}/index:rebuild", Scope.MANAGE),
        ("DELETE", collection, Scope.MANAGE),
    ]


SENT = {
    "search": {"vector": [1, 0, 0, 0]},
    "documents": {"text": "t"},
    "reprioritise": {"queue": "low"},
    "jobs:retry": {"collection": "nobodys"},
}


def test_another_tenant_finds_nothing(app: Api, call: Call, key: Callable[..., str], collection: str) -> None:
    job = call("POST", f"{collection}/documents", json={"external_id": "a", "text": "t"}).headers["Location"]
    stranger = caller(app, key(tenant=f"stranger-{uuid4()}"))
    for method, path, _ in addresses(collection, job):
        last = path.rpartition("/")[2]
        sent = SENT.get(last) or SENT.get(last.rpartition(":")[2], [{"text": "t"}])
        assert stranger(method, path, json=sent).status_code == 404, (method, path)
    assert body(stranger("GET", "/v1/jobs"))["data"] == []
    assert body(stranger("GET", "/v1/collections"))["data"] == []
    assert call("GET", f"{collection}/documents/a").status_code == 200


def test_a_key_without_the_scope_is_told_which(app: Api, key: Callable[..., str]) -> None:
    for method, path, scope in addresses("/v1/collections/any", f"/v1/jobs/{NO_ONE}"):
        limited = caller(app, key(*(set(Scope) - {scope})))
        answer = limited(method, path, data=b"{", content_type="application/json")
        assert answer.status_code == 403, (method, path)
        assert f"`{scope}`" in body(answer)["detail"]


def test_a_key_that_nobody_made_opens_nothing(app: Api) -> None:
    stranger = caller(app, f"dbrag_01234567_{'x' * 43}")
    for method, path, _ in addresses("/v1/collections/any", f"/v1/jobs/{NO_ONE}"):
        assert stranger(method, path).status_code == 401, (method, path)
    assert stranger("GET", "/v1/no-such-thing").status_code == 401


@pytest.mark.parametrize("path", ["/v1/no-such-thing", "/v1/jobs/1", f"/v1/jobs/{NO_ONE}", f"/v1/jobs/{NO_ONE}/items"])
def test_an_unknown_thing_is_404(call: Call, path: str) -> None:
    answer = call("GET", path)
    assert (answer.status_code, body(answer)["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/usage"),
        ("GET", f"/v1/jobs/{NO_ONE}/events"),
    ],
)
def test_what_comes_later_says_so(call: Call, method: str, path: str) -> None:
    answer = call(method, path)
    assert (answer.status_code, body(answer)["code"]) == (422, "not_available")
