"""The name of a text: the hash under which its vector is stored, cached and recognised again."""

from hashlib import sha256


def text_hash(text: str) -> bytes:
    """The 32 bytes of sha256 over the text's UTF-8: the same in every process, unlike Python's `hash()`."""
    return sha256(text.encode()).digest()
