"""Calls to the API in this process, and what is read from its answers."""

import json
from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import Api

Call = Callable[..., TestResponse]


def caller(app: Api, key: str) -> Call:
    """Calls the API with a key: `call(method, path, json=…)`. Of use in several threads."""

    def call(method: str, path: str, *, headers: dict[str, str] | None = None, **request: Any) -> TestResponse:
        client = FlaskClient(app, TestResponse)
        return client.open(path, method=method, headers={"Authorization": f"Bearer {key}"} | (headers or {}), **request)

    return call


def body(answer: TestResponse) -> Any:
    return json.loads(answer.text)


def pointers(answer: TestResponse) -> list[str]:
    """The places that a problem names."""
    assert answer.content_type == "application/problem+json"
    return [error["pointer"] for error in body(answer)["errors"]]
