"""How probable it is that one side, documents or tables, answers a question: a curve fitted to questions."""

import math
from typing import NamedTuple


class Evidence(NamedTuple):
    """What speaks for a side.

    `similarity`: of the best three by vector on average, in standard deviations above what strangers have
    (dbrag/catalog/strangers.py). `coverage`: the share of the question's words, by weight, that the best hit has; None
    where words are not looked up.
    """

    similarity: float
    coverage: float | None


TYPICAL_COVERAGE = 0.6
"""In the place of one that is not known: about the mean over the questions of the fit."""


class Curve(NamedTuple):
    """1 / (1 + exp(−x)), where x is `bias` and the other numbers times what they are named after (logistic regression).

    `other` is of the other side's similarity: what both are equally near to is answered by the one with the words.
    """

    bias: float
    similarity: float
    other: float
    coverage: float

    def probability(self, own: Evidence, other: Evidence) -> float:
        """0–1."""
        coverage = TYPICAL_COVERAGE if own.coverage is None else own.coverage
        x = self.bias + self.similarity * own.similarity + self.other * other.similarity + self.coverage * coverage
        return 1 / (1 + math.exp(-max(min(x, 30.0), -30.0)))


# Printed by `python -m benchmarks.catalog --fit`: fitted to 200 questions about two databases and some documents, with
# the local embedding model.
DOCUMENTS = Curve(bias=-6.71, similarity=1.73, other=-0.17, coverage=1.87)
TABLES = Curve(bias=-1.86, similarity=1.81, other=-0.88, coverage=3.17)
NO_DOCUMENTS = Evidence(2.51, 0.0)
NO_TABLES = Evidence(1.44, 0.0)
"""Of a side that is not there: what one that does not answer has on average."""
