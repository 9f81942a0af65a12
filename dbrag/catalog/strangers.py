"""How alike texts are that have nothing to do with each other: the measure of what a model's similarities are worth."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dbrag.documents.model import Storage

TEXTS = (
    "The river rises in the mountains and flows north into the sea.",
    "Add the flour slowly, stir well, and let the dough rest for an hour.",
    "The orchestra played two symphonies before the interval.",
    "Press the red button to stop the machine, then wait until the light goes out.",
    "Members are informed by letter four weeks before the general meeting.",
    "The patient should drink plenty of water and stay in bed for some days.",
    "In the second half the home team scored twice and won the match.",
    "The function returns an error if the file cannot be opened.",
    "She closed the window, because the wind had become cold.",
    "Light travels faster than sound, which is why thunder comes late.",
    "The contract ends on the last day of the month unless it is renewed.",
    "Sales rose by four percent compared with the previous quarter.",
    "Turn left at the church and follow the road as far as the bridge.",
    "The king died without children, and his brother took the throne.",
    "Whales are mammals; they breathe air and feed their young with milk.",
    "Tickets can be bought online or at the entrance until six o'clock.",
)
"""Of as many subjects as they are. Each process embeds them once a model, or has them from the cache."""


Model = tuple[str, int, Storage]
"""Name, dimensions and how they are stored: what similarities depend on."""


class Measure(NamedTuple):
    """Mean and standard deviation of the similarities between strangers."""

    mean: float
    deviation: float

    def of(self, similarity: float) -> float:
        """A similarity in standard deviations above the mean: one model's 0.3 can be another's 0.8."""
        return (similarity - self.mean) / self.deviation


def measure(vectors: Sequence[NDArray[Any]]) -> Measure:
    """Of the strangers' vectors (dimensions,)."""
    rows = np.stack(vectors).astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units = rows / np.where(lengths > 0, lengths, 1)
    between = (units @ units.T)[np.triu_indices(len(units), 1)]
    return Measure(float(between.mean()), max(float(between.std()), 1e-3))
