"""Bodies as they come: bounded, whole, unpacked; NDJSON a line at a time."""

import gzip
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from api import batches
from api.arriving import PIECE_BYTES, sent, unpacked
from api.decode import Malformed
from api.inputs import DocumentInput
from api.lines import lines
from api.request import Request
from dbrag.documents.model import Refusal, Submission
from dbrag.errors import DbragError, Invalid, TooLarge, UnsupportedType

MEBIBYTE = 1 << 20


def posted(body: bytes, content_type: str = "application/x-ndjson", **headers: str) -> Request:
    builder = EnvironBuilder(method="POST", input_stream=BytesIO(body), content_type=content_type, headers=headers)
    return Request(builder.get_environ())


def pieces_of(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def refusal(pieces: Iterable[bytes]) -> DbragError:
    with pytest.raises(DbragError) as refused:
        list(pieces)
    return refused.value


@pytest.mark.parametrize("announced", [PIECE_BYTES + 7, None])
def test_a_body_comes_whole_in_pieces(announced: int | None) -> None:
    body = bytes(range(256)) * (PIECE_BYTES // 256) + b"the end"
    pieces = list(sent(BytesIO(body), announced, len(body)))
    assert (b"".join(pieces), len(pieces)) == (body, 2)


def test_no_more_is_read_than_was_announced() -> None:
    assert b"".join(sent(BytesIO(b"body and the next request"), 4, 100)) == b"body"


def test_a_body_that_is_announced_as_too_large_is_not_read() -> None:
    source = BytesIO(b"a" * 101)
    assert isinstance(refusal(sent(source, 101, 100)), TooLarge)
    assert source.tell() == 0


def test_a_body_without_its_length_is_read_up_to_the_limit_and_one_byte_more() -> None:
    source = BytesIO(b"a" * 1000)
    assert isinstance(refusal(sent(source, None, 100)), TooLarge)
    assert source.tell() == 101


def test_a_body_that_ends_early_is_malformed() -> None:
    refused = refusal(sent(BytesIO(b"a" * 99), 100, 100))
    assert isinstance(refused, Malformed)
    assert "99 of 100" in refused.detail


class Broken:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, _size: int) -> bytes:
        raise self.error


@pytest.mark.parametrize(("error", "status"), [(TimeoutError(), 408), (OSError(), 400), (Exception("a chunk"), 400)])
def test_a_body_that_cannot_be_read_is_its_senders_fault(error: Exception, status: int) -> None:
    assert refusal(sent(Broken(error), None, 100)).status == status


@given(st.binary(max_size=2000), st.integers(1, 300), st.integers(0, 9))
def test_a_packed_body_is_unpacked_wherever_it_is_cut(body: bytes, size: int, level: int) -> None:
    assert b"".join(unpacked(pieces_of(gzip.compress(body, level), size), len(body))) == body


@pytest.mark.parametrize("size", [1000, PIECE_BYTES])
def test_a_bomb_is_met_before_it_is_unpacked(size: int) -> None:
    bomb = gzip.compress(bytes(64 * MEBIBYTE))
    tracemalloc.start()
    refused = refusal(unpacked(pieces_of(bomb, size), MEBIBYTE))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(refused, TooLarge)
    assert "unpacks to more than 1 MiB" in refused.detail
    assert peak < 2 * MEBIBYTE


def test_a_packed_body_may_be_as_large_unpacked_as_any_other() -> None:
    body = bytes(MEBIBYTE)
    assert b"".join(unpacked(iter([gzip.compress(body)]), MEBIBYTE)) == body
    assert isinstance(refusal(unpacked(iter([gzip.compress(body + b"\0")]), MEBIBYTE)), TooLarge)


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"not packed at all",
        gzip.compress(b"cut short")[:-1],
        gzip.compress(b"damaged")[:-5] + b"\0" + gzip.compress(b"damaged")[-4:],
        zlib.compress(b"another format"),
        gzip.compress(b"and") + b"more",
        gzip.compress(b"one") + gzip.compress(b"two"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_a_body_that_is_not_the_gzip_it_is_said_to_be_is_malformed(packed: bytes, size: int) -> None:
    assert isinstance(refusal(unpacked(pieces_of(packed, size), MEBIBYTE)), Malformed)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
def test_a_packed_batch_is_the_same_as_an_unpacked_one(encoding: str) -> None:
    body = b'{"external_id": "a", "text": "t"}\n'
    packed = posted(gzip.compress(body), **{"Content-Encoding": encoding})
    plain = posted(body)
    assert batches.documents(packed, DocumentInput, 1000) == batches.documents(plain, DocumentInput, 1000)
    assert packed.digest.digest() == plain.digest.digest()


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip"])
def test_another_encoding_is_refused_with_the_one_that_is_read(encoding: str) -> None:
    with pytest.raises(UnsupportedType, match="gzip"):
        batches.documents(posted(b"{}", **{"Content-Encoding": encoding}), DocumentInput, 1000)


@given(st.lists(st.binary(max_size=30)), st.integers(1, 40), st.integers(0, 40))
def test_lines_are_the_same_wherever_the_body_is_cut(parts: list[bytes], size: int, limit: int) -> None:
    body = b"\n".join(parts)
    whole = [line if len(line) <= limit else None for line in body.split(b"\n")]
    assert list(lines(pieces_of(body, size), limit)) == whole


def test_a_line_over_the_limit_is_a_refused_item_among_good_ones() -> None:
    good = b'{"external_id": "a", "text": "t"}'
    body = b"\n".join([good, b'{"text": "' + b"a" * 5 * MEBIBYTE + b'"}', good.replace(b'"a"', b'"c"')])
    first, second, third = batches.documents(posted(body), DocumentInput, MEBIBYTE)
    assert (first.external_id, third.external_id) == ("a", "c")
    assert second == Refusal(None, "too_large", "line 2 is longer than 4 MiB: split the document")


@pytest.mark.parametrize("text", ["я" * (MEBIBYTE // 2), "汉" * (MEBIBYTE // 3), "😀" * (MEBIBYTE // 4)])
def test_a_text_at_the_limit_is_accepted_though_its_escapes_make_the_line_longer(text: str) -> None:
    line = b'{"text": "' + text.encode("ascii", "backslashreplace") + b'"}'
    if "\\U" in line.decode():
        line = line.replace(b"\\U0001f600", b"\\ud83d\\ude00")
    [item] = batches.documents(posted(line), DocumentInput, MEBIBYTE)
    assert isinstance(item, Submission)
    assert item.text == text


def test_no_more_of_a_batch_is_read_than_it_may_have() -> None:
    request = posted(b'{"text": "t"}\n' * 200_000)
    with pytest.raises(Invalid, match="2,000"):
        batches.documents(request, DocumentInput, 1000)
    assert request.input_stream.tell() < 200_000 * 10


def batch_of(count: int, text_bytes: int) -> Iterator[bytes]:
    for number in range(count):
        yield orjson.dumps({"external_id": str(number), "text": chr(97 + number % 26) * text_bytes}) + b"\n"


class Stream:
    """A body that exists nowhere as a whole."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int) -> bytes:
        return next(self._pieces, b"")


def peak_of(pieces: Iterator[bytes], max_bytes: int) -> tuple[int, list[Any]]:
    """The most memory that reading a batch takes beyond what is kept of it."""
    request = posted(b"")
    request.environ |= {"wsgi.input": Stream(pieces), "wsgi.input_terminated": True}
    del request.environ["CONTENT_LENGTH"]
    tracemalloc.start()
    items = batches.documents(request, DocumentInput, max_bytes)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak - kept, items


def test_reading_a_large_batch_takes_little_beyond_the_texts_that_are_kept() -> None:
    taken, items = peak_of(batch_of(2000, 30_000), MEBIBYTE)
    assert (len(items), sum(item.size for item in items)) == (2000, 60_000_000)
    assert taken < 4 * MEBIBYTE


def test_of_lines_that_are_refused_nothing_is_kept() -> None:
    line = [b'{"text": "', *[b"a" * 65_536] * 300, b'"}\n']
    taken, items = peak_of(iter(line * 3), MEBIBYTE)
    assert [item.code for item in items] == ["too_large"] * 3
    assert taken < 6 * MEBIBYTE
