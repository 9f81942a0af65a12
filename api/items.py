"""From a sent item to what is accepted: a Submission, or a Refusal with the reason."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from api.decode import Malformed, decode
from api.faults import faults
from api.inputs import DocumentInput, TextInput
from dbrag.documents.model import Refusal, Submission
from dbrag.errors import Fault, Invalid, TooLarge

MAX_ITEMS = 2000


def submission(sent: TextInput) -> Submission:
    """The Submission for a text or document whose fields have been checked."""
    return Submission(
        external_id=sent.external_id or str(uuid4()),
        text=sent.text,
        title=sent.title if isinstance(sent, DocumentInput) else None,
        metadata=sent.metadata,
    )


def is_too_large(text: str, max_bytes: int) -> bool:
    """Whether `text` has more than `max_bytes` as UTF-8 (a character has at most four)."""
    return len(text) * 4 > max_bytes and len(text.encode()) > max_bytes


def from_values(values: Iterable[Any], model: type[TextInput], max_bytes: int) -> Iterator[Submission | Refusal]:
    """One item for each value of a batch, a Refusal where `model` does not accept it.

    A value that is an exception stands for a line that could not be read.
    """
    for value in values:
        if isinstance(value, Malformed | TooLarge):
            yield Refusal(None, value.code, value.detail)
            continue
        try:
            sent = model.model_validate(value)
        except ValidationError as error:
            yield _refusal(value, error)
            continue
        if is_too_large(sent.text, max_bytes):
            yield Refusal(sent.external_id, "too_large", f"the text is larger than {max_bytes >> 20} MiB: split it")
        else:
            yield submission(sent)


def decoded(lines: Iterable[bytes | None], max_bytes: int) -> Iterator[Any]:
    """The values of the lines of an NDJSON body; what is wrong with a line takes its place, a blank one gives nothing.

    None stands for a line of more than `max_bytes`.
    """
    for number, line in enumerate(lines, start=1):
        if line is None:
            yield TooLarge(f"line {number} is longer than {max_bytes >> 20} MiB: split the document")
        elif line.strip():
            try:
                yield decode(line)
            except Malformed as error:
                yield Malformed(f"line {number}: {error.detail}")


def checked_batch(items: Iterable[Submission | Refusal]) -> list[Submission | Refusal]:
    """The items of a batch that is one.

    Raises: Invalid for none, for more than 2,000, or where two have the same external_id.
    """
    batch = list(islice(items, MAX_ITEMS + 1))
    if not batch:
        raise Invalid("the batch is empty: send at least one item")
    if len(batch) > MAX_ITEMS:
        raise Invalid(f"the batch is too long: send at most {MAX_ITEMS:,} items at once")
    if repeated := tuple(_repeated(batch)):
        raise Invalid("an external_id may come only once in a batch: see `errors`", faults=repeated)
    return batch


def _repeated(batch: list[Submission | Refusal]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for index, item in enumerate(batch):
        if item.external_id is not None and first.setdefault(item.external_id, index) != index:
            yield Fault(f"/{index}/external_id", f"is the external_id of item {first[item.external_id]} too")


def _refusal(value: Any, error: ValidationError) -> Refusal:
    found = faults(error)
    external_id = None
    if isinstance(value, dict) and not any(fault.pointer in ("", "/external_id") for fault in found):
        external_id = value.get("external_id")
    return Refusal(external_id, "invalid", "; ".join(f"{fault.pointer} {fault.detail}".strip() for fault in found))
