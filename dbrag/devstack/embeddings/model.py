"""The model wordllama: texts in, unit vectors of the asked length out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

NATIVE_DIMENSIONS = 256
SLICE = 256
"""Texts embedded at once: bounds the memory for their tokens' rows to 256 MiB even if each has a thousand."""


class WordLlama:
    """Mean of the tokens' vectors, 256 dimensions.

    Asked for more, it appends zeros, which changes no cosine similarity; asked for fewer, it cuts (the model was
    trained so that the first dimensions say most). Loading takes 2 s and 140 MB. Safe to share between threads.
    """

    def __init__(self) -> None:
        # Takes 1.5 s, and sets logging up.
        import wordllama  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]

        package = Path(wordllama.__file__).parent
        loaded: Any = wordllama.WordLlama.load(cache_dir=package, disable_download=True)
        self._rows: Vectors = loaded.embedding
        self._tokenizer: Any = loaded.tokenizer
        self._tokenizer.no_padding()  # one long text would make all of its slice as long

    def embed(self, texts: Sequence[str], dimensions: int) -> Vectors:
        """One vector of length 1 for each text, shape (texts, dimensions): finite and not zero, whatever the text."""
        vectors = np.zeros((len(texts), dimensions), dtype=np.float32)
        width = min(dimensions, NATIVE_DIMENSIONS)
        for start in range(0, len(texts), SLICE):
            part = self._sums(texts[start : start + SLICE])[:, :width]
            vectors[start : start + SLICE, :width] = part
        return _normalised(vectors)

    def _sums(self, texts: Sequence[str]) -> Vectors:
        """The sum of each text's token vectors: the mean points the same way."""
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return np.stack([self._rows[text.ids].sum(axis=0) for text in encoded])


def _normalised(vectors: Vectors) -> Vectors:
    """Each row at length 1; a row of zeros (a text without a known token) becomes the first axis."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[lengths[:, 0] == 0, 0] = 1
    vectors /= np.where(lengths == 0, 1, lengths)
    return vectors
