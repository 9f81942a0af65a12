"""Vectors that are a pure function of their text, so that a test can tell whose vector a row holds."""

from hashlib import shake_128

import numpy as np
from numpy.typing import NDArray


def vector_of(text: str, dimensions: int) -> NDArray[np.float32]:
    """The stand-in's vector of `text`: unit length; fewer dimensions are a shortened, rescaled version of more."""
    noise = np.frombuffer(shake_128(text.encode()).digest(2 * dimensions), "<i2").astype(np.float32)
    return noise / np.sqrt(np.dot(noise, noise))
