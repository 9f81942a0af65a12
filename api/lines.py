"""Lines of a body that comes in pieces, none of which has to fit in memory."""

from collections.abc import Iterable, Iterator


def lines(pieces: Iterable[bytes], max_bytes: int) -> Iterator[bytes | None]:
    """Each line without its end, as soon as it has come; None for one of more than `max_bytes`, which is not kept."""
    begun: list[bytes] = []
    size = 0
    for piece in pieces:
        *ends, rest = piece.split(b"\n")
        for end in ends:
            yield None if size + len(end) > max_bytes else b"".join([*begun, end])
            begun, size = [], 0
        size += len(rest)
        begun = [*begun, rest] if size <= max_bytes else []
    yield None if size > max_bytes else b"".join(begun)
