"""What may be asked of `POST /v1/embeddings`: OpenAI's models, limits and refusals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dbrag.devstack.embeddings.model import NATIVE_DIMENSIONS
from dbrag.errors import Permanent
from dbrag.settings import OPENAI_MODELS, Model

# https://platform.openai.com/docs/api-reference/embeddings/create
MAX_INPUTS = 2048
MAX_TOKENS = 300_000
MAX_TOKENS_OF_ONE = 8192
MIN_DIMENSIONS = {"wordllama": 64}

MODELS = OPENAI_MODELS | {"wordllama": Model(dimensions=NATIVE_DIMENSIONS, shortens=True)}


class Refused(Permanent):
    """An error in OpenAI's shape; `kind` and `code` are theirs, `param` names the field."""

    code = "invalid_request_error"
    status = 400

    def __init__(
        self,
        detail: str,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
        status: int = 400,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {"error": {"message": detail, "type": kind, "param": param, "code": code}}


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is within what can be known without counting tokens."""

    model: str
    texts: Sequence[str]
    dimensions: int
    encoding_format: Literal["float", "base64"]


def read_request(body: Any) -> Request:
    """The request in a decoded JSON body. Raises Refused."""
    if not isinstance(body, Mapping):
        raise Refused("The body must be a JSON object.")
    fields: Mapping[str, Any] = body  # pyright: ignore[reportUnknownVariableType]
    encoding_format = fields.get("encoding_format", "float")
    if encoding_format not in ("float", "base64"):
        raise Refused("'encoding_format' must be 'float' or 'base64'.", param="encoding_format")
    model = fields.get("model")
    texts = _texts(fields.get("input"))
    return Request(str(model), texts, _dimensions(model, fields.get("dimensions")), encoding_format)


def check_tokens(counts: Sequence[int]) -> None:
    """Raises Refused if one of the texts, or all together, have too many tokens."""
    for index, count in enumerate(counts):
        if count > MAX_TOKENS_OF_ONE:
            raise Refused(
                f"This model's maximum context length is {MAX_TOKENS_OF_ONE} tokens, "
                f"but input {index} has {count}. Please reduce its length.",
                param=f"input[{index}]",
                code="context_length_exceeded",
            )
    if sum(counts) > MAX_TOKENS:
        raise Refused(
            f"Requested {sum(counts)} tokens, max {MAX_TOKENS} tokens per request.",
            kind="max_tokens_per_request",
            code="max_tokens_per_request",
        )


def _dimensions(model: Any, wanted: Any) -> int:
    known = MODELS.get(model) if isinstance(model, str) else None
    if known is None:
        raise Refused(
            f"The model `{model}` does not exist; there are {', '.join(MODELS)}.", code="model_not_found", status=404
        )
    if wanted is None:
        return known.dimensions
    if not known.shortens:
        raise Refused("This model does not support specifying dimensions.", param="dimensions")
    least = MIN_DIMENSIONS.get(model, 1)
    if type(wanted) is not int or not least <= wanted <= known.dimensions:
        raise Refused(f"'dimensions' must be an integer from {least} to {known.dimensions}.", param="dimensions")
    return wanted


def _texts(value: Any) -> Sequence[str]:
    texts: list[Any] = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts:  # pyright: ignore[reportUnnecessaryIsInstance]  (whatever JSON held)
        raise Refused("'input' must be a string, or a list of strings that is not empty.", param="input")
    if len(texts) > MAX_INPUTS:
        raise Refused(
            f"Invalid 'input': array too long. Expected at most {MAX_INPUTS} elements, got {len(texts)}.",
            param="input",
            code="array_above_max_length",
        )
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise Refused("'input' must hold strings; this server does not take token arrays.", param=f"input[{index}]")
        if not text:
            raise Refused(f"Input {index} is an empty string.", param=f"input[{index}]")
    return texts
