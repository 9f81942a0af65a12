"""Tables for tests of the catalog, in few words."""

from collections.abc import Sequence
from typing import Any

from dbrag.catalog.model import Column, ForeignKey, Table, TableKind


def column(spec: str) -> Column:
    """`name type`, or `name type -- comment`."""
    rest, _, comment = spec.partition(" -- ")
    name, _, type_ = rest.partition(" ")
    return Column(name, type_ or "text", comment=comment or None)


def table(name: str, *columns: str, key: str = "", refers: Sequence[str] = (), **more: Any) -> Table:
    """`key`: the primary key's columns. `refers`: `column -> table` each."""
    foreign = [
        ForeignKey(f"fk_{number}", [source], "public", target, ["id"])
        for number, (source, target) in enumerate(each.split(" -> ") for each in refers)
    ]
    fields = {"oid": 1, "schema": "public", "kind": TableKind.TABLE} | more
    return Table(name=name, columns=[*map(column, columns)], primary_key=key.split(), foreign_keys=foreign, **fields)


ORDERS = table(
    "orders",
    "id bigint",
    "customer_id bigint",
    "status text -- how far it is",
    "ordered_at timestamp with time zone",
    "total_amount numeric(12,2)",
    "updated_at timestamp with time zone",
    key="id",
    refers=["customer_id -> customers"],
    comment="Orders placed in the shop.",
)
