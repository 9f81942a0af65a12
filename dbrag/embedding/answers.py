"""Reading the provider's answer: from JSON with base64 (or plain numbers) to vectors that were checked."""

from binascii import a2b_base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from dbrag.embedding.failures import DimensionsDiffer, ProviderFailed

Vectors = NDArray[np.float32]
LARGEST_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True)
class Embedded:
    """One answered request: `vectors` (n, dimensions) in the order of its texts, and the tokens it is billed for.

    `unusable` are the positions of vectors that are zero, not finite, or beyond what half precision holds.
    """

    vectors: Vectors
    prompt_tokens: int
    unusable: frozenset[int] = frozenset()


def read_answer(body: bytes, count: int, dimensions: int) -> Embedded:
    """The `count` vectors in the JSON `body` of an answer.

    Raises ProviderFailed (DimensionsDiffer) unless there is one vector of `dimensions` for each index from 0 on.
    """
    try:
        answer = orjson.loads(body)
        items = sorted(answer["data"], key=lambda item: item["index"])
        indexes = [item["index"] for item in items]
        embeddings = [_decode(item["embedding"]) for item in items]
        usage = answer.get("usage")  # servers that bill nothing may leave it out
        prompt_tokens = int(usage["prompt_tokens"]) if usage else 0
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise ProviderFailed("The embedding provider's answer cannot be read.") from exc
    if indexes != list(range(count)):
        raise ProviderFailed(f"The embedding provider's {len(indexes)} vectors are not those of {count} texts.")
    vectors = _stacked(embeddings, dimensions)
    return Embedded(vectors, prompt_tokens, _unusable(vectors))


def _decode(embedding: Any) -> Vectors:
    """A vector as the provider sent it; some compatible servers ignore `encoding_format` and answer with numbers."""
    if isinstance(embedding, str):
        return np.frombuffer(a2b_base64(embedding), "<f4")
    with np.errstate(over="ignore"):  # becomes infinite and is refused below
        return np.asarray(embedding, np.float32)


def _stacked(embeddings: list[Vectors], dimensions: int) -> Vectors:
    for embedding in embeddings:
        if embedding.shape != (dimensions,):
            raise DimensionsDiffer(
                f"The embedding provider answered {embedding.size} dimensions instead of {dimensions}: "
                "compare the collection's dimensions with the model's."
            )
    return np.stack(embeddings)


def _unusable(vectors: Vectors) -> frozenset[int]:
    largest = np.abs(vectors).max(axis=1, initial=0)
    return frozenset(np.flatnonzero(~((largest > 0) & (largest <= LARGEST_HALF))).tolist())  # NaN compares as false
