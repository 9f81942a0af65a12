"""How tables are joined: the shortest ways over foreign keys."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dbrag.catalog.joins import MOST_STEPS, Name, Reference, Step, paths


def refers(table: str, target: str, column: str = "x_id") -> Reference:
    return Reference(f"{table}_{column}_{target}", ("s", table), [column], ("s", target), ["id"])


def named(*tables: str) -> list[Name]:
    return [("s", table) for table in tables]


SHOP = [
    refers("orders", "customers", "customer_id"),
    refers("items", "orders", "order_id"),
    refers("items", "products", "product_id"),
    refers("products", "brands", "brand_id"),
    refers("employees", "employees", "manager_id"),
]


def test_a_key_is_followed_in_the_direction_of_the_path() -> None:
    assert paths(named("customers", "orders"), SHOP) == [
        [Step("orders_customer_id_customers", "s.customers", ["id"], "s.orders", ["customer_id"])]
    ]
    assert paths(named("orders", "customers"), SHOP) == [
        [Step("orders_customer_id_customers", "s.orders", ["customer_id"], "s.customers", ["id"])]
    ]


def test_tables_are_joined_over_two_others_and_not_over_three() -> None:
    [path] = paths(named("customers", "products"), SHOP)
    assert [step.to_table for step in path] == ["s.orders", "s.items", "s.products"]
    assert paths(named("customers", "brands"), SHOP) == []


def test_a_path_over_another_table_that_was_found_is_not_told_twice() -> None:
    told = paths(named("orders", "products", "items"), SHOP)
    assert [(path[0].from_table, path[-1].to_table) for path in told] == [
        ("s.orders", "s.items"),
        ("s.products", "s.items"),
    ]


def test_a_table_that_refers_to_itself_is_joined_with_itself() -> None:
    [[step]] = paths(named("employees"), SHOP)
    assert (step.from_table, step.from_columns, step.to_table) == ("s.employees", ["manager_id"], "s.employees")


def test_of_two_keys_to_the_same_table_the_first_by_name_is_taken() -> None:
    twice = [refers("orders", "addresses", "shipping_id"), refers("orders", "addresses", "billing_id")]
    [[step]] = paths(named("orders", "addresses"), twice)
    assert step.from_columns == ["billing_id"]


def test_a_hundred_tables_around_a_hub_of_thousands_take_no_second() -> None:
    hub = [refers(f"t{n}", "users") for n in range(5000)]
    found = paths(named(*(f"t{n}" for n in range(100))), hub)
    assert len(found) == 100 * 99 / 2


tables = st.sampled_from("abcdefg")
keys = st.lists(st.builds(refers, tables, tables, st.sampled_from(["p", "q"])), max_size=14)


@given(st.lists(tables, min_size=1, max_size=4, unique=True), keys)
def test_between_any_two_tables_there_is_no_shorter_way(wanted: list[str], references: list[Reference]) -> None:
    told = {(path[0].from_table, path[-1].to_table): path for path in paths(named(*wanted), references)}
    for place, start in enumerate(wanted):
        for end in wanted[place + 1 :]:
            lengths = [len(way) for way in ways(start, end, set(wanted) - {start, end}, references)]
            path = told.pop((f"s.{start}", f"s.{end}"), None)
            assert (len(path) if path else None) == min(lengths, default=None)
    assert all(start == end for start, end in told)


@given(st.lists(tables, min_size=1, max_size=4, unique=True), keys)
def test_each_step_is_a_foreign_key_and_goes_on_where_the_last_one_ended(
    wanted: list[str], references: list[Reference]
) -> None:
    known = {(one.name, f"s.{one.table[1]}", f"s.{one.target[1]}") for one in references}
    for path in paths(named(*wanted), references):
        assert all(one.to_table == next_.from_table for one, next_ in pairwise(path))
        for step in path:
            there, back = (step.from_table, step.to_table), (step.to_table, step.from_table)
            assert {(step.foreign_key, *there), (step.foreign_key, *back)} & known


@given(st.lists(tables, min_size=1, max_size=4, unique=True), keys, st.randoms())
def test_the_order_in_which_keys_are_read_does_not_matter(
    wanted: list[str], references: list[Reference], random
) -> None:  # type: ignore[no-untyped-def]
    shuffled = random.sample(references, len(references))
    assert paths(named(*wanted), references) == paths(named(*wanted), shuffled)


def ways(
    start: str, end: str, avoided: set[str], references: Sequence[Reference], been: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """All ways of MOST_STEPS at most, by trying everything."""
    if len(been) == MOST_STEPS:
        return
    for one in references:
        for here, there in ((one.table[1], one.target[1]), (one.target[1], one.table[1])):
            if here != start or there in avoided or there in been:
                continue
            if there == end:
                yield (*been, there)
            else:
                yield from ways(there, end, avoided, references, (*been, there))


def test_what_is_not_connected_has_no_path() -> None:
    assert paths(named("customers", "employees", "nothing"), SHOP[:4]) == []
    assert paths([], SHOP) == []
