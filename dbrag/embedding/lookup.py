"""Vectors that need not be asked for: first those that are stored, then those in the cache."""

from dbrag.embedding.model import Batch, Found
from dbrag.runtime import Runtime
from dbrag.vectors import segments


def look_up(runtime: Runtime, batch: Batch) -> Found:
    """What is known of the batch's texts. Stored vectors are taken from the same collection only."""
    found = Found()
    with runtime.pool.connection() as conn:
        for generation in batch.generations.values():
            hashes = {text.hash for text in batch.texts if text.generation_id == generation.id}
            found.vectors |= segments.stored(conn, generation, hashes)
    missing = list({text.hash for text in batch.texts} - found.vectors.keys())
    if runtime.cache and missing:
        found.vectors |= runtime.cache.get(batch.model, batch.dimensions, missing, batch.dtype)
    return found
