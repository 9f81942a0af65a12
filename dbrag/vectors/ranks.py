"""Two rankings become one: reciprocal rank fusion."""

from collections.abc import Sequence
from dataclasses import replace

from dbrag.vectors.model import Hit

K = 60
"""Cormack, Clarke and Büttcher (SIGIR 2009): how much the first places count beside the others."""


def fused(by_vector: Sequence[Hit], by_words: Sequence[Hit], limit: int) -> list[Hit]:
    """The best of both rankings, best first; the score is 1 for what is first in both, and at most 0.5 for the rest of
    one ranking. Highlights come from the words' ranking.
    """
    scores: dict[int, float] = {}
    hits: dict[int, Hit] = {}
    for ranking in (by_vector, by_words):
        for rank, hit in enumerate(ranking):
            scores[hit.chunk_id] = scores.get(hit.chunk_id, 0.0) + (K + 1) / (2 * (K + 1 + rank))
            hits[hit.chunk_id] = hit
    best = sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))[:limit]
    return [replace(hits[chunk_id], score=scores[chunk_id]) for chunk_id in best]
