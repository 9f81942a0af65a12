"""The local embedding provider: OpenAI's contract, and vectors that mean something."""

import base64
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from flask.testing import FlaskClient

from dbrag.devstack.embeddings.server import create_app

Vectors = npt.NDArray[np.float32]
# Whitespace, controls, scripts and symbols: whatever the tokenizer makes of them.
ODD_TEXTS = [" ", "\n", "\0", "\u200b", "é", "字", "🙂", "\ud7ff", "\U0010ffff", "x" * 8000]


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return create_app().test_client()


def ask(client: FlaskClient, **body: Any) -> Any:
    body = {"model": "text-embedding-3-small", "encoding_format": "float"} | body
    return client.post("/v1/embeddings", json=body, headers={"Authorization": "Bearer any"})


def vectors(client: FlaskClient, texts: list[str], **body: Any) -> Vectors:
    answer = ask(client, input=texts, **body)
    assert answer.status_code == 200, answer.text
    data = answer.json["data"]
    assert [entry["index"] for entry in data] == list(range(len(texts)))
    return np.array([entry["embedding"] for entry in data], dtype=np.float32)


@pytest.mark.parametrize(
    ("model", "asked", "dimensions"),
    [
        ("text-embedding-3-small", {}, 1536),
        ("text-embedding-3-small", {"dimensions": 256}, 256),
        ("text-embedding-3-small", {"dimensions": 1}, 1),
        ("text-embedding-3-large", {}, 3072),
        ("text-embedding-ada-002", {}, 1536),
        ("wordllama", {}, 256),
        ("wordllama", {"dimensions": 64}, 64),
    ],
)
def test_every_text_has_a_unit_vector_of_the_asked_length(
    client: FlaskClient, model: str, asked: dict[str, int], dimensions: int
) -> None:
    found = vectors(client, ODD_TEXTS, model=model, **asked)
    assert found.shape == (len(ODD_TEXTS), dimensions)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_padding_changes_no_similarity(client: FlaskClient) -> None:
    texts = ["a cat sat on the mat", "a dog lay on the rug", "interest rates rose"]
    native, padded = vectors(client, texts, model="wordllama"), vectors(client, texts, model="text-embedding-3-large")
    assert np.allclose(native @ native.T, padded @ padded.T, atol=1e-6)


def test_texts_that_mean_the_same_are_nearer_than_others(client: FlaskClient) -> None:
    question, near, far = vectors(
        client,
        ["How do I restart a database server?", "Starting the database again", "The recipe needs two eggs and flour"],
    )
    assert question @ near > question @ far + 0.2


def test_a_vector_depends_on_its_own_text_only(client: FlaskClient) -> None:
    texts = [f"text number {i} " * (1 + i % 50) for i in range(300)]
    together = vectors(client, texts)
    for i in (0, 49, 255, 256, 299):
        assert np.allclose(vectors(client, [texts[i]])[0], together[i], atol=1e-6)


def test_base64_holds_the_same_numbers(client: FlaskClient) -> None:
    floats = vectors(client, ["hello"])
    answer = ask(client, input="hello", encoding_format="base64").json
    assert np.array_equal(np.frombuffer(base64.b64decode(answer["data"][0]["embedding"]), "<f4"), floats[0])


def test_usage_counts_openai_s_tokens(client: FlaskClient) -> None:
    answer = ask(client, input=["hello world", "hello"]).json
    assert answer["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert answer["model"] == "text-embedding-3-small"


@pytest.mark.parametrize(
    ("body", "status", "code", "says"),
    [
        ({"input": []}, 400, None, "not empty"),
        ({"input": ""}, 400, None, "empty string"),
        ({"input": ["a", ""]}, 400, None, "Input 1 is an empty string"),
        ({"input": None}, 400, None, "must be a string"),
        ({"input": {"text": "a"}}, 400, None, "must be a string"),
        ({"input": [1, 2]}, 400, None, "token arrays"),
        ({"input": [[1, 2]]}, 400, None, "token arrays"),
        ({"input": ["a"] * 2049}, 400, "array_above_max_length", "2048"),
        ({"input": "a b " * 5000}, 400, "context_length_exceeded", "8192 tokens"),
        ({"input": ["a b " * 4000] * 38}, 400, "max_tokens_per_request", "300000"),
        ({"input": "a", "model": "gpt"}, 404, "model_not_found", "does not exist"),
        ({"input": "a", "model": ["x"]}, 404, "model_not_found", "does not exist"),
        ({"input": "a", "dimensions": 1537}, 400, None, "1 to 1536"),
        ({"input": "a", "dimensions": "8"}, 400, None, "1 to 1536"),
        ({"input": "a", "model": "wordllama", "dimensions": 63}, 400, None, "64 to 256"),
        ({"input": "a", "model": "text-embedding-ada-002", "dimensions": 1536}, 400, None, "does not support"),
        ({"input": "a", "encoding_format": "json"}, 400, None, "encoding_format"),
    ],
)
def test_what_openai_refuses_is_refused_in_its_words_shape(
    client: FlaskClient, body: dict[str, Any], status: int, code: str | None, says: str
) -> None:
    answer = ask(client, **body)
    error = answer.json["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert says in error["message"]
    assert set(error) == {"message", "type", "param", "code"}


def test_the_limits_themselves_are_allowed(client: FlaskClient) -> None:
    assert ask(client, input=["a"] * 2048, encoding_format="base64").status_code == 200
    assert ask(client, input="a b " * 4095, encoding_format="base64").status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"input": "\\ud800"}'])
def test_a_body_that_is_no_request_is_refused(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/v1/embeddings", data=body, headers={"Authorization": "Bearer any"})
    assert answer.status_code == 400
    assert answer.json
    assert answer.json["error"]["message"]


def test_a_key_must_be_sent_whatever_it_is(client: FlaskClient) -> None:
    assert client.post("/v1/embeddings", json={"input": "a"}).status_code == 401


def test_another_path_is_not_found(client: FlaskClient) -> None:
    answer = client.get("/v1/models")
    assert answer.status_code == 404
    assert answer.json
    assert "error" in answer.json
