"""The OpenAPI document and its human pages."""

from typing import Any

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models import OPENAPI3_REF_PREFIX, OPENAPI3_REF_TEMPLATE
from flask_openapi3.models.info import Info
from flask_openapi3.models.tag import Tag
from flask_openapi3.openapi import OpenAPI
from flask_openapi3_swagger.plugins import RegisterPlugin
from flask_openapi3_swagger.templates import swagger_html_string
from pydantic import BaseModel

INFO = Info(
    title="dbrag",
    version="1",
    description="Documents become searchable vectors. Every error is application/problem+json. Where the operator "
    "limits how many requests a key may send, answers have RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset "
    "(seconds).",
)
SECURITY: dict[str, Any] = {
    "key": {"type": "http", "scheme": "bearer", "description": "`dbrag keys create` makes one."},
    "jwt": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Where the operator has turned JWTs on. Claims: `tenant` (its name), `scope` (words with spaces "
        "between) or `scopes` (a list), `exp`.",
    },
}
PROBLEM = {
    "description": "An error",
    "content": {"application/problem+json": {"schema": {"$ref": f"{OPENAPI3_REF_PREFIX}/Problem"}}},
}

_LATER = {"headers": {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}}
_RATE_LIMITED = "`rate_limited`: of this key."
# What every view may answer before it begins.
_REFUSED: dict[str, dict[str, Any]] = {
    "401": {
        **PROBLEM,
        "description": "No API key or JWT, or one that is unknown, wrong, expired or revoked.",
        "headers": {"WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}},
    },
    "403": {**PROBLEM, "description": "The key lacks the scope that `detail` names; or a JWT's tenant is unknown."},
    "429": {**PROBLEM, **_LATER, "description": _RATE_LIMITED},
}
TOO_MUCH_WAITING: dict[int, dict[str, Any]] = {
    429: {**PROBLEM, **_LATER, "description": f"`too_much_waiting`: of this tenant. {_RATE_LIMITED}"},
    503: {**PROBLEM, **_LATER, "description": "`too_much_waiting` in all; or the database is away."},
}
EVENT_STREAM = {
    "description": "`event: status` (with an id) for every change of status, `event: progress` with the job where its "
    "counts or progress have changed, `event: end` with the job when it is over; then the stream ends.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}
TOO_MANY_STREAMS = {**PROBLEM, **_LATER, "description": "`too_many_streams`; or the database is away."}
ETAG = {"ETag": {"description": "For `If-None-Match`.", "schema": {"type": "string"}}}
NOT_MODIFIED = {"description": "It is as it was with this `ETag`.", "headers": ETAG}


def blueprint(name: str, about: str) -> APIBlueprint:
    """A blueprint for the views of one resource under /v1.

    A rule that ends in `:verb` spells the converter of its variables out (`<string:name>`): flask-openapi3 would take
    all between `<` and that colon for a converter.
    """
    return APIBlueprint(
        name,
        __name__,
        url_prefix="/v1",
        abp_tags=[Tag(name=name, description=about)],
        abp_security=[{"key": []}, {"jwt": []}],
        abp_responses={**_REFUSED, "422": dict(PROBLEM), "default": dict(PROBLEM)},
    )


def body(**content: dict[str, Any]) -> dict[str, Any]:
    """The description of a body that a view reads itself: `json`, `ndjson` and `form` to their schemas."""
    types = {"json": "application/json", "ndjson": "application/x-ndjson", "form": "multipart/form-data"}
    return {"requestBody": {"required": True, "content": {types[kind]: {"schema": content[kind]} for kind in content}}}


def file_form(fields: type[BaseModel]) -> dict[str, Any]:
    """The schema of a form with one file and `fields`, which an object's value goes into as JSON."""
    file = {"type": "string", "format": "binary"}
    return {"type": "object", "required": ["file"], "properties": {"file": file, **schema(fields)["properties"]}}


def schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model; what it refers to must be part of an answer, too, to be among the components."""
    found = model.model_json_schema(ref_template=OPENAPI3_REF_TEMPLATE)
    found.pop("$defs", None)
    return found


def pages(app: OpenAPI) -> None:
    """Serve the document at /v1/openapi.json and Swagger UI, which comes with the package, at /docs."""
    app.register_blueprint(RegisterPlugin.register(doc_url="/v1/openapi.json"), url_prefix="/docs")
    app.config["SWAGGER_HTML_STRING"] = swagger_html_string.replace('"swagger/', '"/docs/swagger/')
    app.config["SWAGGER_CONFIG"] = {"validatorUrl": None}  # it would send the document's address to swagger.io
    app.add_url_rule("/docs", "docs", app.view_functions["swagger.swagger"])
    app.add_url_rule("/v1/openapi.json", "openapi", lambda: app.api_doc)
