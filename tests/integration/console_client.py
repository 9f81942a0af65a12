"""A browser's part in tests of the console in this process: it keeps cookies, and says where its forms come from."""

from html.parser import HTMLParser
from io import BytesIO
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import Api

HERE = {"Sec-Fetch-Site": "same-origin"}


def browser(app: Api) -> FlaskClient:
    return FlaskClient(app, TestResponse)


def sign_in(app: Api, key: str) -> FlaskClient:
    """A browser that has signed in."""
    client = browser(app)
    assert post(client, "/console/sign-in", {"key": key}).status_code == 303
    return client


def post(client: FlaskClient, path: str, fields: dict[str, Any] | None = None) -> TestResponse:
    """Sends a form from a page of the console."""
    return client.post(path, data=fields or {}, headers=HERE)


def files(*named: tuple[str, bytes]) -> list[tuple[BytesIO, str]]:
    return [(BytesIO(content), name) for name, content in named]


def text(page: TestResponse) -> str:
    """What a page says, without its tags."""
    assert page.content_type == "text/html; charset=utf-8"
    said: list[str] = []
    parser = HTMLParser()
    parser.handle_data = said.append
    parser.feed(page.text)
    return " ".join(" ".join(said).split())


def field(page: TestResponse, name: str) -> str:
    """The value of a hidden field."""
    found: list[str] = []

    def look(tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "input" and given.get("name") == name:
            found.append(given.get("value") or "")

    parser = HTMLParser()
    parser.handle_starttag = look
    parser.feed(page.text)
    return found[0]
