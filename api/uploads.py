"""Files sent as multipart/form-data, read into memory (the body's limit bounds them)."""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import IO, cast
from uuid import uuid4

import orjson
from pydantic import ValidationError
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.formparser import FormDataParser

from api.decode import Malformed
from api.faults import invalid
from api.inputs import FileInput
from api.request import Request
from dbrag.documents.model import Refusal, Submission
from dbrag.errors import Fault, Invalid, TooLarge

# More than any batch may have, so that one that is a little too long is told its length; beyond it costs only time.
MAX_PARTS = 10_000
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,127}/[\w.+-]{1,127}", re.ASCII)


def single(request: Request, max_bytes: int) -> tuple[Submission, FileInput]:
    """The one file of a form (part `file`) as a Submission, and the form's fields.

    Raises: Malformed, Invalid, TooLarge (more than `max_bytes`).
    """
    form, files = _parts(request)
    if len(files) != 1 or files[0].name != "file":
        raise Invalid("send exactly one file", faults=(Fault("/file", "must be the only part that is a file"),))
    content = files[0].stream.read()
    fields = _fields(form)
    if not content:
        raise Invalid("the file is empty", faults=(Fault("/file", "must not be empty"),))
    if len(content) > max_bytes:
        raise TooLarge(f"the file is larger than {max_bytes >> 20} MiB: split it")
    return _submission(files[0], content, fields), fields


def batch(request: Request, max_bytes: int) -> list[Submission | Refusal]:
    """Each file of a form as an item, named by its filename (with its folders, as sent).

    Raises: Malformed, Invalid (form fields, which a batch has not).
    """
    form, files = _parts(request)
    if form:
        faults = tuple(Fault(f"/{name}", "is no file: a batch consists of files only") for name in form)
        raise Invalid("some parts are not files (a file's part has a `filename`)", faults=faults)
    return [_item(file, max_bytes) for file in files]


def chosen(request: Request, max_bytes: int) -> tuple[MultiDict[str, str], list[Submission | Refusal]]:
    """The fields of a browser's form, and as an item each file that was chosen in it: none gives a part without a name.

    Raises: Malformed.
    """
    form, files = _parts(request)
    return form, [_item(file, max_bytes) for file in files if file.filename]


def _item(file: FileStorage, max_bytes: int) -> Submission | Refusal:
    content = file.stream.read()
    try:
        fields = FileInput(external_id=file.filename or None)
    except ValidationError as error:
        return Refusal(None, "invalid", f"the filename {error.errors()[0]['msg']}")
    if not content:
        return Refusal(fields.external_id, "invalid", "the file is empty")
    if len(content) > max_bytes:
        return Refusal(fields.external_id, "too_large", f"the file is larger than {max_bytes >> 20} MiB: split it")
    return _submission(file, content, fields)


class _Stream:
    """Pieces of a body as werkzeug's parser asks for them."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int) -> bytes:
        return next(self._pieces, b"")


def _parts(request: Request) -> tuple[MultiDict[str, str], list[FileStorage]]:
    parser = FormDataParser(
        stream_factory=lambda *_, **__: BytesIO(),
        max_form_memory_size=request.max_form_memory_size,
        max_form_parts=MAX_PARTS,
        silent=False,
    )
    try:
        stream = cast(IO[bytes], _Stream(request.pieces()))
        _, form, files = parser.parse(stream, request.mimetype, request.content_length, request.mimetype_params)
    except ValueError as exc:
        raise Malformed(f"this is not multipart/form-data: {exc}") from exc
    if None in form or None in files:
        raise Malformed('a part of the form has no name that can be read: give each `name="…"`, without line ends')
    found = [file for _, file in files.items(multi=True)]
    _note(request, form, found)
    return form, found


def _note(request: Request, form: MultiDict[str, str], files: list[FileStorage]) -> None:
    """Feeds the request's digest with what the form holds; the boundary, which is made up, is no part of that."""
    for name, value in sorted(form.items(multi=True)):
        request.digest.update(orjson.dumps([name, value]))
    for file in files:
        content = cast(BytesIO, file.stream).getbuffer()  # no copy: it may be 64 MiB
        request.digest.update(orjson.dumps([file.name, file.filename, file.mimetype, len(content)]))
        request.digest.update(content)


def _fields(form: MultiDict[str, str]) -> FileInput:
    fields: dict[str, object] = {**form.to_dict()}
    if "metadata" in form:
        try:
            fields["metadata"] = orjson.loads(form["metadata"])
        except orjson.JSONDecodeError as exc:
            raise Invalid("`metadata` is not JSON", faults=(Fault("/metadata", f"is not JSON: {exc}"),)) from exc
    try:
        return FileInput.model_validate(fields)
    except ValidationError as error:
        raise invalid(error) from error


def _submission(file: FileStorage, content: bytes, fields: FileInput) -> Submission:
    return Submission(
        external_id=fields.external_id or str(uuid4()),
        content=content,
        media_type=file.mimetype if _MEDIA_TYPE.fullmatch(file.mimetype) else None,
        filename=_hint(file.filename),
        title=fields.title,
        metadata=fields.metadata,
    )


def _hint(filename: str | None) -> str | None:
    """The filename where it can be stored: it helps to tell the file's format, and nothing depends on it."""
    return filename if filename and len(filename) <= 512 and "\0" not in filename else None
