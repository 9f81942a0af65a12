"""What is on its way to becoming a vector."""

from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from dbrag.documents.model import Storage
from dbrag.jobs.model import Queue
from dbrag.vectors.model import Generation

Vector = NDArray[Any]


class Text(NamedTuple):
    """A claimed chunk."""

    chunk_id: int
    version_id: int
    job_id: UUID
    tenant_id: UUID
    generation_id: int
    tokens: int
    queue_rank: int
    deferrals: int
    hash: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts claimed together for one request; `more` says that others wait for the same model.

    `troubled`: the model failed lately, which a success ends. `probes`: whether the provider answers again is found out
    with this one. `claimed_at` is of the clock `monotonic`.
    """

    claim_id: UUID
    model: str
    dimensions: int
    texts: list[Text]
    generations: dict[int, Generation]
    more: bool
    troubled: bool = False
    probes: bool = False
    claimed_at: float = field(default_factory=monotonic)

    @property
    def queue(self) -> Queue:
        """The most urgent queue among them."""
        return list(Queue)[min(text.queue_rank for text in self.texts)]

    def is_of_a_build(self, text: Text) -> bool:
        """Whether the text is embedded for a generation that does not serve yet."""
        return self.generations[text.generation_id].is_being_built

    @property
    def dtype(self) -> np.dtype[Any]:
        """What vectors are cached as: single precision as soon as one of the collections stores that."""
        single = any(generation.storage is Storage.VECTOR for generation in self.generations.values())
        return np.dtype("<f4" if single else "<f2")


@dataclass(slots=True)
class Found:
    """What is known so far of a batch's texts, by hash: vectors (dimensions,), and reasons for having none.

    `paid` are the hashes that the provider was asked for.
    """

    vectors: dict[bytes, Vector] = field(default_factory=dict[bytes, Vector])
    errors: dict[bytes, dict[str, Any]] = field(default_factory=dict[bytes, dict[str, Any]])
    paid: set[bytes] = field(default_factory=set[bytes])

    def knows(self, text_hash: bytes) -> bool:
        return text_hash in self.vectors or text_hash in self.errors
