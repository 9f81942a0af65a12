"""The stand-in's answers, right and broken, put together as bytes: JSON libraries would cost the benchmark more."""

from binascii import b2a_base64
from collections.abc import Sequence

import numpy as np
import orjson
from numpy.typing import NDArray

from tests.provider.vectors import vector_of


def answer(texts: Sequence[str], dimensions: int, tokens: int, model: str, floats: bool, broken: str | None) -> bytes:
    """The body of an answer; `broken` as in `Step`."""
    vectors = [vector_of(text, dimensions) for text in texts]
    items = list(enumerate(vectors))
    match broken:
        case "fewer":
            items.pop()
        case "shuffled":
            items.reverse()
        case "repeated":
            items[-1] = (0, items[-1][1])
        case "wrong_dimensions":
            items[0] = (0, vectors[0][:-1])
        case "nan":
            items[0] = (0, np.full(dimensions, np.nan, np.float32))
        case "zero":
            items[0] = (0, np.zeros(dimensions, np.float32))
        case _:
            pass
    data = b",".join(
        b'{"object":"embedding","index":%d,"embedding":%b}' % (i, _encode(vector, floats)) for i, vector in items
    )
    usage = b'{"prompt_tokens":%d,"total_tokens":%d}' % (tokens, tokens)
    return b'{"object":"list","data":[%b],"model":%b,"usage":%b}' % (data, orjson.dumps(model), usage)


def _encode(vector: NDArray[np.float32], floats: bool) -> bytes:
    if floats:
        return orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY)
    return b'"%b"' % b2a_base64(vector.data, newline=False)
