"""Texts of which no two are alike, unless they are meant to be."""

import random

WORDS = (
    "harbour",
    "lantern",
    "gravel",
    "orchard",
    "window",
    "copper",
    "meadow",
    "signal",
    "thread",
    "ladder",
    "canvas",
)
# A text with this word is refused by the provider, alone.
REFUSED = "unspeakable"


class Author:
    """Writes paragraphs of one chunk or so each; `mark` is in all of them, so that no other author writes the same."""

    def __init__(self, mark: str, choice: random.Random) -> None:
        self._mark, self._random = mark, choice
        self._written = 0

    def text(self, paragraphs: int, kept: str = "") -> str:
        """A new text of so many paragraphs; the first half of `kept`, an older text, comes before them."""
        old = kept.split("\n\n")
        return "\n\n".join(old[: len(old) // 2] + [self._paragraph() for _ in range(paragraphs)])

    def refused_text(self) -> str:
        """One that the provider does not take."""
        return f"{REFUSED} {self._paragraph()}"

    def _paragraph(self) -> str:
        self._written += 1
        words = " ".join(self._random.choices(WORDS, k=self._random.randint(12, 24)))
        return f"{self._mark} {self._written}: {words}."
