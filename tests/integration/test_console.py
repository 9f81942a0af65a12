"""The console's pages, in this process: who sees what, what a form does, and that nothing is shown but as text."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from api_client import Call, body
from console_client import HERE, browser, field, files, post, sign_in, text
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import Api, create_app
from dbrag.accounts import budgets, keys
from dbrag.accounts.model import Scope
from dbrag.database.pool import connect
from dbrag.documents import endings
from dbrag.errors import Permanent
from dbrag.settings import Settings

pytest_plugins = ["api_fixtures"]
SCRIPT = "<script>alert(1)</script>"
MENU = {
    "/console/jobs": Scope.READ,
    "/console/files": Scope.INGEST,
    "/console/search": Scope.SEARCH,
    "/console/queues": Scope.READ,
    "/console/usage": Scope.READ,
}


@pytest.fixture(scope="module")
def client(app: Api, key: Callable[..., str]) -> FlaskClient:
    """A browser that has signed in with a key of all scopes."""
    return sign_in(app, key())


def name_of(collection: str) -> str:
    return collection.rpartition("/")[2]


def send(client: FlaskClient, fields: dict[str, object]) -> TestResponse:
    """Sends the form for files as a browser without JavaScript does."""
    return post(client, "/console/files", {"sending": field(client.get("/console/files"), "sending"), **fields})


def fail(settings: Settings, job_id: str, detail: str) -> None:
    with connect(settings) as conn:
        endings.fail(conn, UUID(job_id), Permanent(detail, code="broken"))


def test_a_key_opens_the_console_and_signing_out_closes_it(app: Api, key: Callable[..., str]) -> None:
    client = browser(app)
    asked = client.get("/console/jobs?status=failed")
    assert asked.location == "/console/sign-in?next=/console/jobs?status%3Dfailed"
    there = field(client.get(asked.location), "next")
    answer = post(client, "/console/sign-in", {"key": key(), "next": there})
    assert (answer.status_code, answer.location) == (303, "/console/jobs?status=failed")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/console"} <= set(cookie.split("; "))
    assert "Jobs" in text(client.get("/console/jobs"))
    assert "nothing is at this address" in text(client.get("/console/nowhere"))
    assert post(client, "/console/sign-out").location == "/console/sign-in"
    for path in (*MENU, "/console", "/console/nowhere"):
        assert client.get(path).location.startswith("/console/sign-in?next="), path


def test_over_https_the_cookie_stays_there(app: Api, key: Callable[..., str]) -> None:
    answer = browser(app).post("/console/sign-in", data={"key": key()}, headers=HERE, base_url="https://localhost")
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


def test_pages_count_as_requests_of_their_key_and_their_looks_do_not(
    api_settings: Settings, key: Callable[..., str]
) -> None:
    app = create_app(Settings.model_validate(api_settings.model_dump() | {"rate_limit": "2/hour"}))
    client = sign_in(app, key())
    with client.get("/console/static/console.css") as style:
        assert style.status_code == 200
    assert [client.get("/console/jobs").status_code for _ in range(3)] == [200, 200, 429]
    refused = client.get("/console/queues")
    assert (refused.status_code, "one key may send 2 requests" in text(refused)) == (429, True)
    assert refused.headers["Retry-After"]
    app.extensions["dbrag"].close()


def test_a_wrong_key_is_asked_for_again(app: Api) -> None:
    for wrong in ("", "x", f"dbrag_01234567_{'x' * 43}"):
        answer = post(browser(app), "/console/sign-in", {"key": wrong})
        assert answer.status_code == 401
        assert "unknown, expired or revoked" in text(answer)
        assert "Set-Cookie" not in answer.headers


def test_a_revoked_key_opens_nothing_from_the_next_page_on(
    app: Api, key: Callable[..., str], api_settings: Settings
) -> None:
    made = key()
    client = sign_in(app, made)
    with connect(api_settings) as conn:
        keys.revoke(conn, made.split("_")[1])
    answer = client.get("/console/jobs")
    assert answer.status_code == 303
    assert "revoked" in text(client.get(answer.location))
    assert client.get_cookie("dbrag_console", path="/console") is None


@pytest.mark.parametrize("there", ["https://example.org/", "//example.org", "/\\example.org", "/v1/jobs", "/consolex"])
def test_signing_in_leads_nowhere_else(app: Api, key: Callable[..., str], there: str) -> None:
    assert post(browser(app), "/console/sign-in", {"key": key(), "next": there}).location == "/console"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_form_from_elsewhere_does_nothing(
    app: Api, client: FlaskClient, key: Callable[..., str], call: Call, collection: str, headers: dict[str, str]
) -> None:
    job = body(call("POST", f"{collection}/documents", json={"text": "t"}))["id"]
    assert client.post(f"/console/jobs/{job}/cancel", headers=headers).status_code == 403
    assert body(call("GET", f"/v1/jobs/{job}"))["status"] == "queued"
    assert browser(app).post("/console/sign-in", data={"key": key()}, headers=headers).status_code == 403


def test_a_browser_that_names_its_origin_only_is_believed(client: FlaskClient, call: Call, collection: str) -> None:
    job = body(call("POST", f"{collection}/documents", json={"text": "t"}))["id"]
    answer = client.post(f"/console/jobs/{job}/cancel", headers={"Origin": "http://localhost"})
    assert (answer.status_code, answer.location) == (303, f"/console/jobs/{job}")
    assert body(call("GET", f"/v1/jobs/{job}"))["status"] == "cancelling"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/console"),
        ("GET", "/console/sign-in"),
        ("GET", "/console/jobs"),
        ("GET", "/console/nowhere"),
        ("DELETE", "/console/jobs"),
        ("GET", "/console/static/console.css"),
        ("GET", "/console/static/console.js"),
    ],
)
def test_every_answer_tells_the_browser_to_be_careful(client: FlaskClient, method: str, path: str) -> None:
    with client.open(path, method=method) as answer:
        headers = answer.headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff")
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == ("no-cache" if "static" in path else "no-store")
    assert headers["X-Request-ID"]


def test_pages_hold_nothing_that_their_policy_forbids(client: FlaskClient) -> None:
    for path in (*MENU, "/console/sign-in"):
        page = client.get(path).text
        assert not any(forbidden in page for forbidden in ("style=", "<style", "onclick=", "javascript:", "http://"))
        assert page.count("<script") == page.count('<script src="/console/static/console.js" defer>') == 1


@pytest.mark.parametrize("scope", Scope)
def test_a_key_sees_what_its_scopes_open_and_no_more(app: Api, key: Callable[..., str], scope: Scope) -> None:
    client = sign_in(app, key(scope))
    home = client.get("/console", follow_redirects=True)
    opened = {path for path, needed in MENU.items() if needed == scope}
    assert home.status_code == (200 if opened else 403)
    for path, needed in MENU.items():
        answer = client.get(path)
        assert answer.status_code == (200 if path in opened else 403), path
        assert (f'href="{path}"' in home.text) == (path in opened), path
        assert path in opened or f"`{needed}`" in text(answer)


def test_who_may_only_read_gets_no_buttons_and_their_forms_are_refused(
    app: Api, key: Callable[..., str], call: Call, collection: str
) -> None:
    job = body(call("POST", f"{collection}/documents", json={"text": "t"}))["id"]
    reader = sign_in(app, key(Scope.READ))
    assert "<button id=" not in reader.get(f"/console/jobs/{job}").text
    for path in (f"/console/jobs/{job}/cancel", f"/console/jobs/{job}/retry", "/console/files"):
        assert post(reader, path).status_code == 403, path
    assert body(call("GET", f"/v1/jobs/{job}"))["status"] == "queued"


def test_another_tenants_job_is_not_found(app: Api, key: Callable[..., str], call: Call, collection: str) -> None:
    job = body(call("POST", f"{collection}/documents", json={"text": "t"}))["id"]
    stranger = sign_in(app, key(tenant=f"stranger-{uuid4()}"))
    for answer in (
        stranger.get(f"/console/jobs/{job}"),
        stranger.get(f"/console/jobs/{job}/fragment"),
        post(stranger, f"/console/jobs/{job}/cancel"),
        post(stranger, f"/console/jobs/{job}/retry"),
        stranger.get(f"/console/jobs?collection={name_of(collection)}"),
        stranger.get(f"/console/search?collection={name_of(collection)}&query=a"),
    ):
        assert answer.status_code == 404
    assert job not in stranger.get("/console/jobs").text


def test_files_are_sent_without_javascript_and_become_one_job(client: FlaskClient, call: Call, collection: str) -> None:
    sent = files(("a.txt", b"one"), ("b.md", b"two"), ("empty.txt", b""))
    answer = send(client, {"collection": name_of(collection), "queue": "low", "file": sent})
    assert answer.status_code == 303
    job = body(call("GET", answer.location.replace("/console", "/v1")))
    assert (job["kind"], job["queue"], job["counts"]["total"], job["counts"]["failed"]) == (
        "ingest_document",
        "low",
        3,
        1,
    )
    page = text(client.get(answer.location))
    assert "empty.txt failed invalid the file is empty" in page
    assert "queued" in page
    listed = client.get(f"/console/jobs?collection={name_of(collection)}&status=&kind=&queue=low")
    assert job["id"] in listed.text


def test_a_form_that_is_sent_twice_makes_one_job(client: FlaskClient, call: Call, collection: str) -> None:
    sending = field(client.get("/console/files"), "sending")
    fields = {"sending": sending, "collection": name_of(collection)}
    answers = [post(client, "/console/files", fields | {"file": files(("a.txt", b"one"))}) for _ in range(2)]
    assert answers[0].location == answers[1].location
    assert len(body(call("GET", f"/v1/jobs?collection={name_of(collection)}"))["data"]) == 1


def test_files_may_go_into_a_new_collection(client: FlaskClient, call: Call, app: Api, key: Callable[..., str]) -> None:
    name = f"new-{uuid4()}"
    assert send(client, {"new_collection": name, "file": files(("a.txt", b"one"))}).status_code == 303
    assert call("GET", f"/v1/collections/{name}").status_code == 200
    limited = sign_in(app, key(Scope.INGEST))
    assert 'name="new_collection"' not in limited.get("/console/files").text
    refused = send(limited, {"new_collection": f"{name}-2", "file": files(("a.txt", b"one"))})
    assert (refused.status_code, call("GET", f"/v1/collections/{name}-2").status_code) == (403, 404)
    accepted = send(limited, {"collection": name, "file": files(("b.txt", b"two"))})
    assert "Accepted as job" in text(accepted)


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"file": [("a.txt", b"one")]}, 422, "choose a collection"),
        ({"collection": "nobodys", "file": [("a.txt", b"one")]}, 404, "there is no collection 'nobodys'"),
        ({"new_collection": "No Name", "file": [("a.txt", b"one")]}, 422, "some fields are wrong"),
        ({"collection": "any"}, 422, "the batch is empty"),
        ({"collection": "any", "file": [("", b"")]}, 422, "the batch is empty"),
        ({"collection": "any", "file": [("a", b"1"), ("a", b"2")]}, 422, "may come only once"),
        ({"collection": "any", "queue": "none", "file": [("a", b"1")]}, 422, "some fields are wrong"),
    ],
)
def test_what_cannot_be_sent_is_a_page_that_says_what_to_do(
    client: FlaskClient, fields: dict[str, object], status: int, said: str
) -> None:
    given = fields | ({"file": files(*fields["file"])} if "file" in fields else {})  # pyright: ignore[reportGeneralTypeIssues]
    if "file" not in given:
        given["other"] = files(("", b""))
    answer = send(client, given)
    assert (answer.status_code, said in text(answer)) == (status, True)


def test_more_than_a_request_may_hold_is_a_page_too(client: FlaskClient) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body_ = part + b"x" * (2 << 20) + b"\r\n--b--\r\n"
    form = "multipart/form-data; boundary=b"
    answer = client.post("/console/files", data=body_, content_type=form, headers=HERE)
    assert (answer.status_code, "larger than 2 MiB" in text(answer)) == (413, True)


def test_failed_items_are_shown_with_their_reasons_and_tried_again(
    client: FlaskClient, call: Call, collection: str, api_settings: Settings
) -> None:
    job = body(call("POST", f"{collection}/documents", json={"external_id": "a", "text": "t"}))["id"]
    fail(api_settings, job, "the reason")
    page = client.get(f"/console/jobs/{job}")
    assert "a failed broken the reason" in text(page)
    assert "data-unfinished" not in page.text
    retried = post(client, f"/console/jobs/{job}/retry")
    assert (retried.status_code, retried.location) == (303, f"/console/jobs/{job}")
    assert body(call("GET", f"/v1/jobs/{job}"))["status"] == "queued"
    again = client.get(f"/console/jobs/{job}/fragment")
    assert "data-unfinished" in again.text
    assert "<html" not in again.text
    refused = post(client, f"/console/jobs/{job}/retry")
    assert (refused.status_code, "has no failed item" in text(refused)) == (409, True)


def test_what_strangers_write_is_shown_as_text(
    client: FlaskClient, call: Call, collection: str, api_settings: Settings
) -> None:
    job = body(call("POST", f"{collection}/documents", json={"external_id": SCRIPT, "text": SCRIPT}))["id"]
    fail(api_settings, job, SCRIPT)
    for path in (
        f"/console/jobs/{job}",
        f"/console/jobs/{job}/fragment?items=all",
        f"/console/jobs?collection={SCRIPT}",
        f"/console/sign-in?next=/console/%22%3E{SCRIPT}",
        f"/console/search?query={SCRIPT}&mode={SCRIPT}",
        f"/console/{SCRIPT}",
    ):
        assert SCRIPT not in client.get(path).text, path
    assert SCRIPT in text(client.get(f"/console/jobs/{job}"))


def test_jobs_and_items_come_in_pages(client: FlaskClient, call: Call, collection: str) -> None:
    many = [{"external_id": f"e{number}", "text": "t", "extra": 1} for number in range(30)]
    job = body(call("POST", f"{collection}/documents:batch", json=many))["id"]
    first = client.get(f"/console/jobs/{job}")
    assert ("e24" in text(first), "e25" in text(first)) == (True, False)
    second = client.get(f"/console/jobs/{job}?cursor=24")
    assert ("e24" in text(second), "e25" in text(second)) == (False, True)
    assert f"/console/jobs/{job}?cursor=24" in first.text
    jobs = [body(call("POST", f"{collection}/documents", json={"text": "t"}))["id"] for _ in range(2)]
    listed = client.get(f"/console/jobs?collection={name_of(collection)}&limit=2").text
    assert all(each in listed for each in jobs)
    assert f"cursor={jobs[0]}" in listed
    assert job in client.get(f"/console/jobs?collection={name_of(collection)}&cursor={jobs[0]}").text


@pytest.mark.parametrize(
    "path",
    [
        "/console/jobs?status=lost",
        "/console/jobs?_external=1",
        "/console/jobs?cursor=x",
        f"/console/jobs/{uuid4()}?items=x",
        "/console/search?limit=1000",
    ],
)
def test_a_wrong_address_is_a_page_that_names_the_field(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 422
    assert path.partition("?")[2].partition("=")[0] in text(answer)


def test_queues_show_what_waits_and_collections_what_they_do(client: FlaskClient, call: Call, collection: str) -> None:
    call("POST", f"{collection}/documents", json={"text": "t"})
    call("POST", f"{collection}:pause")
    page = text(client.get("/console/queues"))
    assert all(queue in page for queue in ("critical", "default", "low", "jobs waiting", "messages of all tenants"))
    assert name_of(collection) in page
    assert "paused" in page


def test_usage_is_summed_up_by_day_and_by_what_one_chooses(
    app: Api, key: Callable[..., str], api_settings: Settings
) -> None:
    tenant = f"spender-{uuid4()}"
    client = sign_in(app, key(tenant=tenant))
    assert "Nothing was spent" in text(client.get("/console/usage"))
    with connect(api_settings) as conn:
        conn.execute(
            "INSERT INTO usage (tenant_id, model, texts, prompt_tokens, texts_from_cache, cost_usd) "
            "SELECT id, model, 1, tokens, 2, 0.5 FROM tenants, "
            "(VALUES ('small', 1000), ('large', 250)) AS spent (model, tokens) WHERE name = %s",
            [tenant],
        )
    assert f"{datetime.now(UTC):%Y-%m-%d} 1,250 2 4 $1.00" in text(client.get("/console/usage"))
    by_model = client.get("/console/usage?by=model")
    assert "large 250 1 2 $0.50" in text(by_model)
    assert [f'width="{width}"' in by_model.text for width in ("100.0", "25.0")] == [True, True]
    assert client.get("/console/usage?by=weather").status_code == 422
    assert "The operator has set none" in text(by_model)
    with connect(api_settings) as conn:
        budgets.put(conn, tenant, {"day": Decimal("0.75")})
    spent = text(client.get("/console/usage"))
    assert "It is spent: what costs waits until" in spent
    assert "today $1.00 of $0.75 this month $1.00 (no bound)" in spent


def test_the_openapi_document_does_not_speak_of_it(call: Call) -> None:
    assert not any("console" in path for path in body(call("GET", "/v1/openapi.json"))["paths"])
