"""Reading what the chat model says of a table: a description that was checked, or what is wrong with it."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from dbrag.catalog.instructions import reads_like_instructions
from dbrag.catalog.model import Description, Table

_MARKUP = re.compile(r"```|https?:|www\.|<[a-z/!]|\]\(", re.I)


@dataclass(frozen=True, slots=True)
class Unusable:
    """`wrong` says why, for the model and for people; it quotes nothing of the answer."""

    wrong: str


def _plain(text: str) -> str:
    if not all(sign.isprintable() for sign in text):
        raise ValueError("it must be on one line, without control characters")
    if _MARKUP.search(text):
        raise ValueError("it must not have code, links or markup")
    if reads_like_instructions(text):
        raise ValueError("it must not give instructions")
    return " ".join(text.split())


def _not_blank(text: str) -> str:
    if not text:
        raise ValueError("it must not be blank")
    return text


_PLAIN, _SOME = AfterValidator(_plain), AfterValidator(_not_blank)


class _Answer(BaseModel):
    """Somewhat wider than what is asked for: a word too much is no reason to pay again."""

    model_config = ConfigDict(strict=True, extra="forbid")

    purpose: Annotated[str, Field(max_length=700), _PLAIN, _SOME]
    grain: Annotated[str, Field(max_length=250), _PLAIN]
    key_columns: Annotated[list[str], Field(max_length=30)]
    synonyms: Annotated[list[Annotated[str, Field(max_length=80), _PLAIN, _SOME]], Field(max_length=20)]
    questions: Annotated[list[Annotated[str, Field(max_length=250), _PLAIN, _SOME]], Field(max_length=15)]


def read(text: str, table: Table) -> Description | Unusable:
    """The description in the JSON `text`."""
    try:
        answer = _Answer.model_validate_json(text)
    except ValidationError as exc:
        return Unusable("; ".join(dict.fromkeys(_wrong(*error["loc"][:1], msg=error["msg"]) for error in exc.errors())))
    if not set(answer.key_columns) <= {column.name for column in table.columns}:
        return Unusable("key_columns: not all of them are columns of this table")
    columns = list(dict.fromkeys(answer.key_columns))
    return Description(answer.purpose, answer.grain, columns, answer.synonyms, answer.questions)


def _wrong(*place: int | str, msg: str) -> str:
    """Which field, without what the answer has there: that may be a sample's value."""
    if not place:
        return "it is not the JSON that was asked for"
    if place[0] not in _Answer.model_fields:
        return "there are fields that were not asked for"
    return f"{place[0]}: {msg.removeprefix('Value error, ')}"
