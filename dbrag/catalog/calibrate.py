"""How probable it is that the best of one side, documents or tables, answers a question: a curve that was fitted."""

import math
from typing import NamedTuple


class Features(NamedTuple):
    """`coverage`: the share of the question's words, by weight, that the best hit has.

    `lead`: by how much (of cosine similarity) the nearest text of this side is nearer than that of the other; 0 where
    the two have different models, whose similarities cannot be compared, or the other has nothing.
    """

    coverage: float
    lead: float


class Curve(NamedTuple):
    """1 / (1 + exp(−(bias + coverage · Features.coverage + lead · Features.lead)))"""

    bias: float
    coverage: float
    lead: float

    def probability(self, features: Features) -> float:
        """0–1."""
        return 1 / (1 + math.exp(-(self.bias + self.coverage * features.coverage + self.lead * features.lead)))


# `python -m benchmarks.catalog --fit` (28 November 2026): logistic regression over the questions of
# benchmarks/catalog_gold.py with the local embedding model.
DOCUMENTS = Curve(bias=-4.38, coverage=5.97, lead=7.18)
TABLES = Curve(bias=-1.33, coverage=6.32, lead=7.74)
