"""Whose texts are next: tenants that wait in the same queue get shares of each request, and turns at models, by weight.

Nothing is remembered from one claim to the next: a lottery needs no history, and is fair to whoever comes late.
"""

import random
from collections import Counter
from collections.abc import Sequence
from math import ceil
from typing import NamedTuple, TypeVar
from uuid import UUID

T = TypeVar("T")
LOWER_LEADS = 0.05
"""The chance that a less urgent queue leads a request, so that it never starves."""


class Waiting(NamedTuple):
    """A generation with texts that wait in one queue. `failures` of its model in a row; None: there is no trouble."""

    queue_rank: int
    generation_id: int
    tenant_id: UUID
    model: str
    dimensions: int
    weight: int
    failures: int | None


def shares(waiting: Sequence[Waiting]) -> list[float]:
    """What each gets beside the others: its tenant's weight, divided among that tenant's generations."""
    generations = Counter(one.tenant_id for one in waiting)
    return [one.weight / generations[one.tenant_id] for one in waiting]


def draw(waiting: Sequence[Waiting]) -> Waiting:
    """Whose text is the first of the next request, and so for which model it is: one of the most urgent, by lot.

    Each less urgent queue leads now and then (`LOWER_LEADS`).
    """
    first, *lower = sorted({one.queue_rank for one in waiting})
    rank = next((one for one in lower if random.random() < LOWER_LEADS), first)  # noqa: S311 - no secret
    urgent = [one for one in waiting if one.queue_rank == rank]
    return random.choices(urgent, shares(urgent))[0]  # noqa: S311 - no secret


def quotas(shares_: Sequence[float], room: int) -> list[int]:
    """`room` divided by share, rounded up: all of it is used, and nobody gets nothing."""
    whole = sum(shares_)
    return [ceil(room * share / whole) for share in shares_]


def in_turn(queues: Sequence[Sequence[T]], shares_: Sequence[float]) -> list[T]:
    """The queues as one, in which whoever has twice the share comes twice as often. The first queue begins."""
    places = [
        ((place + (number > 0)) / share, number, one)
        for number, (queue, share) in enumerate(zip(queues, shares_, strict=True))
        for place, one in enumerate(queue)
    ]
    return [one for _, _, one in sorted(places, key=lambda place: place[:2])]
