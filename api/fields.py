"""The fields that several requests share, each with the limits of what can be stored."""

import re
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from dbrag.jobs.model import Queue as QueueName

MAX_METADATA_BYTES = 64 * 1024
# An escaped U+0000 in JSON: not a backslash that is itself escaped, followed by the text "u0000".
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class Strict(BaseModel):
    """A JSON object of which every field is known and has the right type: "10" is not 10."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


NUL = PydanticCustomError("nul", "must not hold the character U+0000: PostgreSQL cannot store it")


def _storable(text: str) -> str:
    if "\0" in text:
        raise NUL
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise PydanticCustomError("surrogate", "holds half of a surrogate pair: send whole characters") from exc
    return text


def _not_blank(text: str) -> str:
    if not text or text.isspace():
        raise PydanticCustomError("blank", "must not be blank")
    return text


def _storable_object(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        encoded = orjson.dumps(metadata)
    except TypeError as exc:  # too deep, half a surrogate pair, or a number beyond 64 bits
        raise PydanticCustomError("metadata", "cannot be stored: {reason}", {"reason": str(exc)}) from exc
    if len(encoded) > MAX_METADATA_BYTES:
        raise PydanticCustomError("metadata", "must not be larger than 64 KiB")
    if b"\\u0000" in encoded and _ESCAPED_NUL.search(encoded):
        raise NUL
    return metadata


Text = Annotated[str, AfterValidator(_not_blank), AfterValidator(_storable)]
ExternalId = Annotated[str, Field(max_length=512), AfterValidator(_not_blank), AfterValidator(_storable)]
Question = Annotated[str, Field(max_length=100_000), AfterValidator(_not_blank), AfterValidator(_storable)]
Line = Annotated[str, Field(max_length=1000), AfterValidator(_storable)]
Metadata = Annotated[dict[str, Any], AfterValidator(_storable_object)]
Queue = Annotated[QueueName, Field(strict=False)]
