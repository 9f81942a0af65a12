"""How probable it is that the best of some hits answers a question: two features, and a curve fitted to them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from dbrag.vectors.model import Hit

# What the best hit is compared with: those at these places, which are hardly ever an answer, too.
BACKGROUND = slice(9, 50)
# Where there are fewer hits than that, all but the best.
LEAST_BACKGROUND = 3


class Features(NamedTuple):
    """`gap`: by how many standard deviations the nearest text is nearer than the background on average; models differ
    in their cosines, and less in this. `coverage`: the share of the question's words, by weight, that the best hit has.
    """

    gap: float
    coverage: float


class Curve(NamedTuple):
    """1 / (1 + exp(−(bias + gap · Features.gap + coverage · Features.coverage)))"""

    bias: float
    gap: float
    coverage: float

    def probability(self, features: Features) -> float:
        """0–1."""
        return 1 / (1 + math.exp(-(self.bias + self.gap * features.gap + self.coverage * features.coverage)))


# `python -m benchmarks.catalog --fit`, 28 November 2026: 80 questions (benchmarks/catalog_gold.py), the local model.
DOCUMENTS = Curve(bias=-4.0, gap=0.5, coverage=4.0)
TABLES = Curve(bias=-4.0, gap=0.5, coverage=4.0)


def gap(by_vector: Sequence[Hit]) -> float:
    """Of hits by vector, best first; 0 where there are too few to compare with."""
    scores = [hit.score for hit in by_vector]
    background = scores[BACKGROUND] if len(scores) > BACKGROUND.start + LEAST_BACKGROUND else scores[1:]
    if len(background) < LEAST_BACKGROUND:
        return 0.0
    mean = sum(background) / len(background)
    deviation = math.sqrt(sum((score - mean) ** 2 for score in background) / len(background))
    return min((scores[0] - mean) / max(deviation, 0.01), 10.0)
