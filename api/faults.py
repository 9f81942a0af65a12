"""What pydantic found wrong, as JSON pointers with plain reasons."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dbrag.errors import Fault, Invalid

# pydantic's own sentences speak of Python; these say what the sender has to do.
SENTENCES = {
    "missing": "is required",
    "extra_forbidden": "is not known here: remove it, or check its spelling",
    "model_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
}


def faults(error: ValidationError) -> tuple[Fault, ...]:
    """One Fault for each wrong field.

    The pointer of a field of the body is that of RFC 6901; that of a query parameter is `?name`, of a part of the path
    `{name}`, of a header its name. Which of them it is, the name of the model tells (api/inputs.py).
    """
    return tuple(Fault(_pointer(error.title, found), _sentence(found)) for found in error.errors())


def invalid(error: ValidationError) -> Invalid:
    """The error that the API answers with for a request whose fields are wrong."""
    return Invalid("some fields are wrong: see `errors`", faults=faults(error))


def _pointer(model: str, found: ErrorDetails) -> str:
    path = [str(step) for step in found["loc"]]
    if model.endswith("Query"):
        return "?" + ".".join(path)
    if model.endswith("Path"):
        return "{" + ".".join(path) + "}"
    if model.endswith("Headers"):
        return ".".join(path)
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)


def _sentence(found: ErrorDetails) -> str:
    return SENTENCES.get(found["type"], found["msg"])
