"""Fingerprints: what counts, and what does not."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbrag.catalog.fingerprint import fingerprint
from dbrag.catalog.model import Column, ForeignKey, Index, Table, TableKind

COLUMNS = [Column("id", "bigint", nullable=False), Column("code", "text", default="'x'", comment="Ünï 🦆 \ud800")]
KEYS = [ForeignKey(name, ["a", "b"], "public", name, ["c", "d"]) for name in ("first", "second")]
INDEXES = [Index(name, ["a", "lower(b)"], unique=False) for name in ("one", "two")]
ORDERS = Table(
    oid=1,
    schema="public",
    name="orders",
    kind=TableKind.PARTITIONED_TABLE,
    comment="Bought",
    columns=COLUMNS,
    primary_key=["id", "code"],
    unique_keys=[["code"], ["id", "code"]],
    foreign_keys=KEYS,
    indexes=INDEXES,
    definition="SELECT 1",
    partitions=3,
    row_estimate=10,
)


def test_it_is_32_bytes_and_the_same_in_every_process() -> None:
    assert fingerprint(ORDERS).hex() == "0032ab07580dda5f001aa92bee083d520a0eab9a2a0c24bb6370cbd9e39152fa"


@pytest.mark.parametrize(
    "changed",
    [
        replace(ORDERS, oid=2),
        replace(ORDERS, row_estimate=None),
        replace(ORDERS, partitions=4),
        replace(ORDERS, unique_keys=ORDERS.unique_keys[::-1]),
        replace(ORDERS, foreign_keys=KEYS[::-1]),
        replace(ORDERS, indexes=INDEXES[::-1]),
    ],
)
def test_what_is_not_structure_does_not_count(changed: Table) -> None:
    assert fingerprint(changed) == fingerprint(ORDERS)


CHANGES: dict[str, Callable[[Table], Table]] = {
    "schema": lambda table: replace(table, schema="other"),
    "name": lambda table: replace(table, name="other"),
    "kind": lambda table: replace(table, kind=TableKind.TABLE),
    "comment": lambda table: replace(table, comment=None),
    "empty comment": lambda table: replace(table, comment=""),
    "order of columns": lambda table: replace(table, columns=COLUMNS[::-1]),
    "type": lambda table: replace(table, columns=[replace(COLUMNS[0], type="int"), COLUMNS[1]]),
    "nullable": lambda table: replace(table, columns=[replace(COLUMNS[0], nullable=True), COLUMNS[1]]),
    "default": lambda table: replace(table, columns=[COLUMNS[0], replace(COLUMNS[1], default=None)]),
    "column's comment": lambda table: replace(table, columns=[COLUMNS[0], replace(COLUMNS[1], comment="x")]),
    "primary key": lambda table: replace(table, primary_key=["code", "id"]),
    "unique keys": lambda table: replace(table, unique_keys=[["code"], ["code", "id"]]),
    "foreign keys": lambda table: replace(table, foreign_keys=KEYS[:1]),
    "indexes": lambda table: replace(table, indexes=[INDEXES[0], replace(INDEXES[1], unique=True)]),
    "definition": lambda table: replace(table, definition="SELECT 2"),
    "no partitions": lambda table: replace(table, partitions=0),
}


def test_everything_else_counts() -> None:
    prints = {fingerprint(ORDERS), *(fingerprint(change(ORDERS)) for change in CHANGES.values())}
    assert len(prints) == len(CHANGES) + 1


def test_who_describes_and_the_policy_count() -> None:
    prints = {fingerprint(ORDERS, *extra) for extra in ((), ("a",), ("b",), ("a", "b"), ("b", "a"), ("ab",), ("",))}
    assert len(prints) == 7


names = st.text(max_size=5)
tables = st.builds(
    Table,
    oid=st.just(1),
    schema=names,
    name=names,
    kind=st.sampled_from(TableKind),
    comment=st.none() | names,
    columns=st.lists(st.builds(Column, name=names, type=names, default=st.none() | names), max_size=3),
    unique_keys=st.lists(st.lists(names, max_size=2), max_size=2),
)


def structure(table: Table) -> Table:
    return replace(table, unique_keys=sorted(table.unique_keys))


@given(tables, tables)
def test_two_tables_have_the_same_only_if_they_are(one: Table, other: Table) -> None:
    assert (fingerprint(one) == fingerprint(other)) is (structure(one) == structure(other))
