"""Questions over HTTP that no search can answer."""

from typing import Any

import pytest
from api_client import Call, body, pointers

pytest_plugins = ["api_fixtures"]


@pytest.mark.parametrize(
    ("question", "pointer"),
    [
        ({}, ""),
        ({"query": "a", "vector": [1, 0, 0, 0]}, ""),
        ({"query": " "}, "/query"),
        ({"vector": [1, 0, 0]}, "/vector"),
        ({"vector": []}, "/vector"),
        ({"vector": [0, 0, 0, 0]}, "/vector"),
        ({"vector": [1e300, 0, 0, 0]}, "/vector"),
        ({"vector": [1e-30, 0, 0, 0]}, "/vector"),
        ({"vector": [10**400, 0, 0, 0]}, "/vector/0"),
        ({"vector": ["1", 0, 0, 0]}, "/vector/0"),
        ({"query": "a", "limit": 0}, "/limit"),
        ({"query": "a", "limit": 1001}, "/limit"),
        ({"query": "a", "limit": True}, "/limit"),
        ({"query": "a", "filter": []}, "/filter"),
        ({"query": "a", "mode": "magic"}, "/mode"),
    ],
)
def test_a_wrong_question_is_refused_with_its_place(
    call: Call, collection: str, question: dict[str, Any], pointer: str
) -> None:
    answer = call("POST", f"{collection}/search", json=question)
    assert answer.status_code == 422
    assert pointers(answer) == [pointer]


def test_an_empty_collection_is_searched_and_found_empty(call: Call, collection: str) -> None:
    answer = call("POST", f"{collection}/search", json={"vector": [1, 0, 0, 0], "limit": 1000, "filter": {"a": 1}})
    assert (answer.status_code, body(answer)) == (200, {"data": []})
