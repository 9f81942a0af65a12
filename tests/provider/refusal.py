"""Errors in OpenAI's shape and words (those seen in public issue threads), and when they are due."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.provider.script import Script

NATIVE_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}


@dataclass
class Refusal(Exception):
    """An answer that is an error."""

    status: int
    message: str
    code: str | None = None
    kind: str = "invalid_request_error"
    param: str | None = None

    def body(self) -> dict[str, Any]:
        """The JSON that OpenAI answers."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def check(model: str, dimensions: int, texts: Sequence[bytes], tokens: Sequence[int], script: Script) -> None:
    """Raise the Refusal that OpenAI would answer to this request."""
    native = NATIVE_DIMENSIONS.get(model)
    if native is None:
        raise Refusal(404, f"The model `{model}` does not exist or you do not have access to it.", "model_not_found")
    if not 0 < dimensions <= native:
        raise Refusal(400, f"Invalid value for 'dimensions' = {dimensions}. Must be less than or equal to {native}.")
    if len(texts) > script.max_inputs:
        raise Refusal(
            400,
            f"Invalid 'input': array too long. Expected an array with maximum length {script.max_inputs}, "
            f"but got an array with length {len(texts)} instead.",
            "array_above_max_length",
        )
    for i, (text, count) in enumerate(zip(texts, tokens, strict=True)):
        if not text:
            raise Refusal(400, "'$.input' is invalid. Please check the API reference.")
        if count > script.max_text_tokens:
            raise Refusal(400, f"Invalid 'input[{i}]': maximum input length is {script.max_text_tokens} tokens.")
        if script.refuse_containing and script.refuse_containing.encode() in text:
            raise Refusal(400, "Your input was refused.")
        if script.fail_containing and script.fail_containing.encode() in text:
            raise Refusal(500, "The server had an error while processing your request.", kind="server_error")
    if sum(tokens) > script.max_request_tokens:
        code = "max_tokens_per_request"
        message = f"Requested {sum(tokens)} tokens, max {script.max_request_tokens} tokens per request"
        raise Refusal(400, message, code, code)
