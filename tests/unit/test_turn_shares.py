"""Shares, quotas and turns, as pure values."""

from collections import Counter
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from dbrag.embedding.turns import Waiting, draw, in_turn, quotas, shares


def waiting(tenant_id: UUID, generation_id: int, weight: int = 1, queue_rank: int = 1) -> Waiting:
    return Waiting(queue_rank, generation_id, tenant_id, "model", 8, weight, None)


def test_a_tenants_share_is_its_weight_however_many_generations_it_has() -> None:
    one, other = uuid4(), uuid4()
    assert shares([waiting(one, 1, 4), waiting(one, 2, 4), waiting(other, 3)]) == [2, 2, 1]


def test_the_lot_falls_by_weight_among_the_most_urgent() -> None:
    heavy, light = waiting(uuid4(), 1, 9), waiting(uuid4(), 2)
    drawn = Counter(draw([heavy, light, waiting(uuid4(), 3, 1000, queue_rank=2)]).generation_id for _ in range(3000))
    assert 2350 < drawn[1] < 2800
    assert 80 < drawn[3] < 230  # never starves


@given(st.lists(st.integers(1, 1000), min_size=1), st.integers(1, 2048))
def test_quotas_use_the_room_and_leave_nobody_out(weights: list[int], room: int) -> None:
    given_ = quotas(weights, room)
    assert min(given_) >= 1
    assert room <= sum(given_) <= room + len(weights)


def test_turns_come_as_often_as_the_share_is_large_and_the_first_begins() -> None:
    order = in_turn(["aaaaaa", "BBBBBBBBBBBB"], [1, 2])
    assert order[0] == "a"
    assert Counter(order[1:10]) == {"a": 3, "B": 6}
    assert in_turn(["ab", "", "c"], [1, 5, 1]) == ["a", "b", "c"]


@given(st.lists(st.lists(st.integers(), max_size=20), max_size=6), st.data())
def test_turns_lose_and_reorder_nothing(queues: list[list[int]], data: st.DataObject) -> None:
    weights = [data.draw(st.integers(1, 10)) for _ in queues]
    tagged = [[(number, place) for place in range(len(queue))] for number, queue in enumerate(queues)]
    merged = in_turn(tagged, weights)
    assert [[one for one in merged if one[0] == number] for number in range(len(queues))] == tagged
