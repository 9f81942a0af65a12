"""The HTTP server of the local embedding provider; `create_app` is served by gunicorn."""

import base64
from typing import Any

import numpy as np
import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from dbrag.devstack.embeddings.model import Vectors, WordLlama
from dbrag.devstack.embeddings.request import Refused, check_tokens, read_request
from dbrag.documents.tokens import count_tokens


def create_app() -> Flask:
    """An application that answers once its model is loaded (2 s). `GET /healthz` says that it does."""
    app = Flask(__name__)
    model = WordLlama()

    def embeddings() -> Response:
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            raise Refused("You didn't provide an API key: send 'Authorization: Bearer KEY', any KEY.", status=401)
        asked = read_request(_body())
        counts = [count_tokens(text) for text in asked.texts]
        check_tokens(counts)
        data = _encoded(model.embed(asked.texts, asked.dimensions), asked.encoding_format)
        usage = {"prompt_tokens": sum(counts), "total_tokens": sum(counts)}
        return _json({"object": "list", "data": data, "model": asked.model, "usage": usage})

    def refuse(error: Refused) -> Response:
        return _json(error.body, error.status)

    def refuse_http(error: HTTPException) -> Response:
        return refuse(Refused(str(error.description), status=error.code or 500))

    app.add_url_rule("/v1/embeddings", view_func=embeddings, methods=["POST"])
    app.add_url_rule("/healthz", view_func=lambda: _json({"status": "ok"}))
    app.register_error_handler(Refused, refuse)
    app.register_error_handler(HTTPException, refuse_http)
    return app


def _body() -> Any:
    try:
        return orjson.loads(request.get_data())
    except orjson.JSONDecodeError as exc:
        raise Refused(f"The body is not JSON: {exc}.") from exc


def _encoded(vectors: Vectors, encoding_format: str) -> list[dict[str, Any]]:
    def encoded(vector: Vectors) -> Any:
        if encoding_format == "base64":
            return base64.b64encode(vector.astype("<f4").tobytes()).decode()
        return vector

    return [{"object": "embedding", "index": i, "embedding": encoded(np.asarray(v))} for i, v in enumerate(vectors)]


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), status, mimetype="application/json")
