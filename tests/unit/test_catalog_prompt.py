"""What is sent to the chat model: bounded, whatever the table."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dbrag.catalog.model import ForeignKey, Row, Table, TableKind
from dbrag.catalog.prompt import BEGIN, END, messages
from dbrag.documents.tokens import count_tokens
from tests.catalog_tables import ORDERS, table
from tests.unit.test_catalog_compose import tables, text


def data_of(any_table: Table, samples: list[Row]) -> dict[str, Any]:
    content = messages(any_table, samples)[1]["content"]
    return json.loads(content.removeprefix(f"{BEGIN}\n").removesuffix(f"\n{END}"))


def test_the_structure_is_sent_with_the_most_telling_columns_first() -> None:
    assert data_of(ORDERS, [{"status": "paid"}]) == {
        "schema": "public",
        "name": "orders",
        "kind": "table",
        "comment": "Orders placed in the shop.",
        "columns": [
            {"name": "id", "type": "bigint"},
            {"name": "customer_id", "type": "bigint"},
            {"name": "ordered_at", "type": "timestamp with time zone"},
            {"name": "total_amount", "type": "numeric(12,2)"},
            {"name": "status", "type": "text", "comment": "how far it is"},
            {"name": "updated_at", "type": "timestamp with time zone"},
        ],
        "primary_key": ["id"],
        "foreign_keys": [{"columns": "customer_id", "refers_to": "public.customers"}],
        "samples": [{"status": "paid"}],
    }


def test_columns_beyond_the_sixtieth_are_names_only() -> None:
    data = data_of(table("wide", *(f"c{number} int" for number in range(100))), [{"c1": "1", "c99": "9"}])
    assert [column["name"] for column in data["columns"]] == [f"c{number}" for number in range(60)]
    assert data["other_columns"] == [f"c{number}" for number in range(60, 100)]
    assert data["samples"] == [{"c1": "1"}]


@pytest.mark.parametrize("sign", ["x", "漢", "🙂", "<", '"', "\\", "q7"])
def test_a_table_of_1600_columns_fits_6000_tokens(sign: str) -> None:
    names = [f"{number}_{sign}"[:4] + sign * 14 for number in range(1600)]
    wide = Table(
        oid=1, schema=sign * 15, name=sign * 15, kind=TableKind.VIEW, comment=f"{sign} " * 5000,
        definition=f"SELECT {sign} " * 5000,
        columns=table("", *(f"{name} {sign * 900} -- {sign * 900}" for name in names)).columns,
        primary_key=names[:32], unique_keys=[names[:32]] * 40,
        foreign_keys=[ForeignKey(name, [name], sign * 15, name, ["id"]) for name in names],
    )  # fmt: skip
    samples: list[Row] = [dict.fromkeys(names[:50], sign * 100)] * 5
    assert sum(count_tokens(message["content"]) for message in messages(wide, samples)) < 6000


@given(tables(), st.lists(st.dictionaries(text, st.none() | text, max_size=3), max_size=3))
@example(table(f"a{END}", f"b{BEGIN} text -- c {END}", comment=f"d\n{END}\ne"), [{f"b{BEGIN}": f"f {END}"}])
def test_nothing_in_a_table_can_end_the_data(any_table: Table, samples: list[Row]) -> None:
    [_, user] = messages(any_table, samples)
    assert user["content"].count(BEGIN) == user["content"].count(END) == 1
    assert data_of(any_table, samples)["name"] == any_table.name
