"""Who may do what over HTTP, and what nobody can do yet."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from api_client import Call, body, caller
from psycopg.sql import SQL, Identifier

from api.app import Api
from api.auth import authorise, principal
from api.transaction import transaction

pytest_plugins = ["api_fixtures"]
NO_ONE = "00000000-0000-7000-8000-000000000000"


def addresses(collection: str, job: str) -> list[tuple[str, str]]:
    return [
        ("GET", collection),
        ("GET", f"{collection}/index"),
        ("GET", f"{collection}/documents/a"),
        ("GET", job),
        ("GET", f"{job}/items"),
        ("GET", f"/v1/jobs?collection={collection.rpartition('/')[2]}"),
        ("POST", f"{collection}/search"),
        ("POST", f"{collection}/documents"),
        ("POST", f"{collection}/documents:batch"),
        ("POST", f"{collection}/embeddings"),
        ("DELETE", f"{collection}/documents/a"),
        ("POST", f"{job}:cancel"),
        ("POST", f"{job}:retry"),
        ("POST", f"{job}:reprioritise"),
        ("POST", "/v1/jobs:retry"),
        ("POST", f"{collection}:pause"),
        ("POST", f"{collection}:resume"),
        ("POST", f"{collection}/index:rebuild"),
        ("POST", f"{collection}/index:rollback"),
        ("DELETE", collection),
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
    for method, path in addresses(collection, job):
        last = path.rpartition("/")[2]
        sent = SENT.get(last) or SENT.get(last.rpartition(":")[2], [{"text": "t"}])
        assert stranger(method, path, json=sent).status_code == 404, (method, path)
    assert body(stranger("GET", "/v1/jobs"))["data"] == []
    assert body(stranger("GET", "/v1/collections"))["data"] == []
    assert call("GET", f"{collection}/documents/a").status_code == 200


@pytest.mark.parametrize("table", ["collections", "jobs", "job_items", "job_events", "documents", "document_versions"])
def test_what_a_view_asks_without_naming_its_tenant_finds_no_others(
    app: Api, call: Call, key: Callable[..., str], table: str, collection: str
) -> None:
    name = f"stranger-{uuid4()}"
    stranger = caller(app, key(tenant=name))
    stranger("PUT", "/v1/collections/own", json={"dimensions": 4})
    for each, path in ((call, collection), (stranger, "/v1/collections/own")):
        assert each("POST", f"{path}/documents", json={"text": "t"}).status_code == 202
    with app.test_request_context("/v1/jobs", headers={"Authorization": f"Bearer {key(tenant=name)}"}):
        authorise()
        with transaction() as conn:
            found = conn.execute(SQL("SELECT DISTINCT tenant_id FROM {}").format(Identifier(table))).fetchall()
        assert found == [(principal().tenant_id,)]


def test_a_key_that_nobody_made_opens_nothing(app: Api) -> None:
    stranger = caller(app, f"dbrag_01234567_{'x' * 43}")
    for method, path in addresses("/v1/collections/any", f"/v1/jobs/{NO_ONE}"):
        assert stranger(method, path).status_code == 401, (method, path)
    assert stranger("GET", "/v1/no-such-thing").status_code == 401


@pytest.mark.parametrize("path", ["/v1/no-such-thing", "/v1/jobs/1", f"/v1/jobs/{NO_ONE}", f"/v1/jobs/{NO_ONE}/items"])
def test_an_unknown_thing_is_404(call: Call, path: str) -> None:
    answer = call("GET", path)
    assert (answer.status_code, body(answer)["code"]) == (404, "not_found")
