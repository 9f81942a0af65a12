"""The bytes of a request's body as they come: bounded, complete, in time, unpacked."""

import zlib
from collections.abc import Iterator
from typing import Protocol

from api.decode import Malformed
from dbrag.errors import TooLarge, Transient

PIECE_BYTES = 256 * 1024
GZIP = 31  # zlib's word for it: the largest window, and gzip's header


class TooSlow(Transient):
    """A body that would keep one of few threads waiting."""

    code = "too_slow"
    status = 408


class Source(Protocol):
    """What a WSGI server hands over."""

    def read(self, size: int, /) -> bytes: ...


def sent(source: Source, announced: int | None, max_bytes: int) -> Iterator[bytes]:
    """The body in pieces; `announced` is its Content-Length, None where it has to end by itself.

    Raises: TooLarge, Malformed (it ends before its end), TooSlow.
    """
    if announced is not None and announced > max_bytes:
        raise _too_large("is larger than", max_bytes)
    end = max_bytes + 1 if announced is None else announced
    so_far = 0
    while so_far < end and (piece := _read(source, min(PIECE_BYTES, end - so_far))):
        so_far += len(piece)
        if so_far > max_bytes:
            raise _too_large("is larger than", max_bytes)
        yield piece
    if announced is not None and so_far < announced:
        raise Malformed(f"the body ends after {so_far:,} of {announced:,} bytes: send it again, whole")


def unpacked(packed: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    """What the pieces of a gzip body unpack to, in pieces, so that a bomb is met before it fills the memory.

    One gzip member only: thousands of empty ones would cost seconds, and say nothing.
    Raises: TooLarge, Malformed.
    """
    inflater = zlib.decompressobj(GZIP)
    so_far = 0
    for data in packed:
        if inflater.eof:
            raise _goes_on()
        for piece in _inflated(inflater, data):
            so_far += len(piece)
            if so_far > max_bytes:
                raise _too_large("unpacks to more than", max_bytes)
            yield piece
        if inflater.unused_data:
            raise _goes_on()
    if not inflater.eof:
        raise Malformed("the gzip body is cut short: send it again, whole")


def _inflated(inflater: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    full = True
    while (data or full) and not inflater.eof:  # a full piece may have left something to come
        try:
            piece = inflater.decompress(data, PIECE_BYTES)
        except zlib.error as exc:
            raise Malformed(f"the body is not gzip, as its Content-Encoding says, or is damaged: {exc}") from exc
        data = inflater.unconsumed_tail
        full = len(piece) == PIECE_BYTES
        if piece:
            yield piece


def _read(source: Source, size: int) -> bytes:
    try:
        return source.read(size)
    except TimeoutError as exc:
        raise TooSlow("the body came too slowly: send it again, in smaller parts or over a faster line") from exc
    except Exception as exc:  # gunicorn's errors have no root of their own
        raise Malformed("the body ends early, or its chunks are damaged: send it again, whole") from exc


def _goes_on() -> Malformed:
    return Malformed("the body goes on behind the end of its gzip data: pack it as one")


def _too_large(how: str, max_bytes: int) -> TooLarge:
    return TooLarge(f"the body {how} {max_bytes >> 20} MiB: send less at once")
