"""Join paths among the tables that were found."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dbrag.catalog.joins import MOST_STEPS, Name, Reference, paths


def name(letter: str) -> Name:
    return "s", letter


def reference(table: str, target: str, number: int = 0) -> Reference:
    return Reference(f"{table}_{target}_{number}", name(table), [f"{target}_id"], name(target), ["id"])


ORDERS = [reference("items", "orders"), reference("items", "products"), reference("orders", "customers")]


def shown(found: list[list]) -> list[str]:
    return [" ".join([path[0].from_table, *(step.to_table for step in path)]) for path in found]


def test_a_foreign_key_joins_from_either_side() -> None:
    [[step]] = paths([name("items"), name("orders")], ORDERS)
    assert (step.from_table, step.from_columns) == ("s.items", ["orders_id"])
    assert (step.to_table, step.to_columns) == ("s.orders", ["id"])
    [[back]] = paths([name("orders"), name("items")], ORDERS)
    assert (back.from_table, back.from_columns, back.to_columns) == ("s.orders", ["id"], ["orders_id"])
    assert back.foreign_key == step.foreign_key


def test_tables_in_between_are_part_of_the_path() -> None:
    assert shown(paths([name("products"), name("customers")], ORDERS)) == ["s.products s.items s.orders s.customers"]


def test_what_leads_over_another_hit_is_left_out() -> None:
    found = paths([name("products"), name("items"), name("customers")], ORDERS)
    assert shown(found) == ["s.products s.items", "s.items s.orders s.customers"]


def test_what_is_too_far_or_not_connected_has_no_path() -> None:
    chain = [reference(a, b) for a, b in pairwise("abcdef")]
    assert paths([name("a"), name("e")], chain) == []
    assert paths([name("a"), name("z")], chain) == []
    assert paths([name("a")], chain) == []
    assert paths([name("a"), name("a")], [reference("a", "a")]) == []


LETTERS = st.sampled_from("abcdefg")


@given(st.lists(st.tuples(LETTERS, LETTERS), max_size=12), st.lists(LETTERS, max_size=5))
def test_every_path_is_made_of_foreign_keys_and_none_is_longer_than_allowed(
    pairs: list[tuple[str, str]], wanted: list[str]
) -> None:
    references = [reference(a, b, number) for number, (a, b) in enumerate(pairs)]
    tables = [name(letter) for letter in wanted]
    edges = {frozenset((f"s.{a}", f"s.{b}")) for a, b in pairs}
    found = paths(tables, references)
    assert found == paths(tables, list(reversed(references))), "the order of keys does not matter"
    for path in found:
        assert 1 <= len(path) <= MOST_STEPS
        assert all(step.to_table == after.from_table for step, after in pairwise(path))
        assert all(frozenset((step.from_table, step.to_table)) in edges for step in path)
        ends = {path[0].from_table, path[-1].to_table}
        assert len(ends) == 2
        between = {step.to_table for step in path[:-1]}
        assert not between & {f"s.{letter}" for letter in wanted}
