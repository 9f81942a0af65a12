"""Texts that wait for their vectors and can be claimed now."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.embedding import turns
from dbrag.embedding.turns import Waiting
from dbrag.settings import Settings
from dbrag.vectors import index

SQL = beside(__file__, "waiting.sql")


class Candidate(NamedTuple):
    """A text that may be in the next request."""

    chunk_id: int
    generation_id: int
    tokens: int
    deferrals: int


def waiting(conn: Connection, settings: Settings) -> list[Waiting]:
    """Generations with texts that can be claimed now, most urgent queue first."""
    overdue = list(index.overdue(conn, settings))
    return [Waiting._make(row) for row in conn.execute(SQL.waiting, {"overdue": overdue})]


def candidates(conn: Connection, waiting: Sequence[Waiting], lead: Waiting, limit: int) -> list[Candidate]:
    """The next `limit` texts of the model that `lead` waits for, in the order of their turns; `lead` has the first.

    Urgent ones first, then the next queue's, so that a request is not smaller than it could be.
    """
    same = [one for one in waiting if (one.model, one.dimensions) == (lead.model, lead.dimensions)]
    found: list[Candidate] = []
    for rank in sorted({one.queue_rank for one in same}):
        others = [one for one in same if one.queue_rank == rank and one != lead]
        random.shuffle(others)  # of equals nobody is always the last
        here = [lead, *others] if rank == lead.queue_rank else others
        found += _in_turn(conn, here, limit - len(found))
        if len(found) >= limit:
            break
    return found


def _in_turn(conn: Connection, here: Sequence[Waiting], limit: int) -> list[Candidate]:
    """Of one queue. Who has less than its share leaves the rest to the others, in another round."""
    shares = dict(zip(here, turns.shares(here), strict=True))
    texts: dict[Waiting, list[Candidate]] = {one: [] for one in here}
    hungry: list[Waiting] = list(here)
    room = limit
    while hungry and room > 0:
        quotas = turns.quotas([shares[one] for one in hungry], room)
        gained = _next(conn, texts, hungry, quotas)
        room -= sum(gained)
        hungry = [one for one, quota, count in zip(hungry, quotas, gained, strict=True) if count == quota]
    return turns.in_turn(list(texts.values()), list(shares.values()))[:limit]


def _next(
    conn: Connection, texts: dict[Waiting, list[Candidate]], hungry: Sequence[Waiting], quotas: Sequence[int]
) -> list[int]:
    """Adds the next ones of each, at most its quota; returns how many."""
    before = [len(texts[one]) for one in hungry]
    owners = {one.generation_id: one for one in hungry}
    rows = conn.execute(
        SQL.candidates,
        {
            "queue_rank": hungry[0].queue_rank,
            "generation_ids": list(owners),
            "after": [texts[one][-1].chunk_id if texts[one] else 0 for one in hungry],
            "limits": list(quotas),
        },
    )
    for row in rows:
        candidate = Candidate._make(row)
        texts[owners[candidate.generation_id]].append(candidate)
    return [len(texts[one]) - count for one, count in zip(hungry, before, strict=True)]
