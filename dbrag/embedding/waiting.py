"""Texts that wait for their vectors and can be claimed now."""

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.embedding import turns
from dbrag.embedding.turns import Waiting
from dbrag.settings import Settings
from dbrag.vectors import index

SQL = beside(__file__, "waiting.sql")
# How often a claim looks again where others had less than their share, or where what it found is in flight. Not without
# end: of a text that waits 100,000 times each claim would find all, one after the other, while all others wait for it.
ROUNDS = 4


class Candidate(NamedTuple):
    """A text that may be in the next request."""

    chunk_id: int
    generation_id: int
    tokens: int
    deferrals: int
    hash: bytes


def waiting(conn: Connection, settings: Settings) -> list[Waiting]:
    """Generations with texts that can be claimed now, most urgent queue first."""
    overdue = list(index.overdue(conn, settings))
    return [Waiting._make(row) for row in conn.execute(SQL.waiting, {"overdue": overdue})]


def candidates(conn: Connection, waiting: Sequence[Waiting], lead: Waiting, limit: int) -> list[Candidate]:
    """The next `limit` texts of the model that `lead` waits for, in the order of their turns; `lead` has the first.

    Those of its queue first, then urgent ones, then the next queue's: a request is as large as it can be.
    """
    same = [one for one in waiting if (one.model, one.dimensions) == (lead.model, lead.dimensions)]
    found: list[Candidate] = []
    ranks = {one.queue_rank for one in same}
    for rank in sorted(ranks, key=lambda rank: (rank != lead.queue_rank, rank)):
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
    after = dict.fromkeys(here, 0)
    hungry: list[Waiting] = list(here)
    room = limit
    for _ in range(ROUNDS):
        if not hungry or room <= 0:
            break
        quotas = dict(zip(hungry, turns.quotas([shares[one] for one in hungry], room), strict=True))
        rows = _next(conn, quotas, after)
        busy = _in_flight(conn, hungry[0], [one.hash for some in rows.values() for one in some])
        for one, some in rows.items():
            free = [text for text in some if text.hash not in busy]
            texts[one] += free
            room -= len(free)
            after[one] = some[-1].chunk_id if some else after[one]
        hungry = [one for one, quota in quotas.items() if len(rows[one]) == quota]
    return turns.in_turn(list(texts.values()), list(shares.values()))[:limit]


def _next(
    conn: Connection, quotas: Mapping[Waiting, int], after: Mapping[Waiting, int]
) -> dict[Waiting, list[Candidate]]:
    owners = {one.generation_id: one for one in quotas}
    rows: dict[Waiting, list[Candidate]] = {one: [] for one in quotas}
    for row in conn.execute(
        SQL.candidates,
        {
            "queue_rank": next(iter(quotas)).queue_rank,
            "generation_ids": list(owners),
            "after": [after[one] for one in quotas],
            "limits": list(quotas.values()),
        },
    ):
        candidate = Candidate._make(row)
        rows[owners[candidate.generation_id]].append(candidate)
    return rows


def _in_flight(conn: Connection, one: Waiting, hashes: Sequence[bytes]) -> set[bytes]:
    """Texts that are being asked for already, for another document: they wait for that answer, or are paid twice."""
    asked = {"hashes": list(hashes), "model": one.model, "dimensions": one.dimensions}
    # Not prepared: an array that the planner sees is looked up by hash (30 ms instead of 2 s for 40,000 in flight).
    return {row[0] for row in conn.execute(SQL.in_flight, asked, prepare=False)}
