"""Tables, put together from the rows that source.sql reads of PostgreSQL's own catalog."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from dbrag.catalog.model import Column, ForeignKey, Index, Table
from dbrag.catalog.shapes import mask_text

Record = dict[str, Any]


def tables(
    relations: Iterable[Record], columns: Iterable[Record], keys: Iterable[Record], indexes: Iterable[Record]
) -> list[Table]:
    """One for each of `relations`, in their order; the others belong to it by their `oid`.

    What people wrote into comments, defaults and views is masked as sample values are: it is shown and sent, too.
    """
    columns_of, keys_of, indexes_of = _by_oid(columns), _by_oid(keys), _by_oid(indexes)
    return [
        Table(
            **_masked(relation, "comment", "definition"),
            columns=[Column(**_masked(column, "comment", "default")) for column in columns_of[relation["oid"]]],
            indexes=[Index(**index) for index in indexes_of[relation["oid"]]],
            **_keys(keys_of[relation["oid"]]),
        )
        for relation in relations
    ]


def _masked(record: Record, *names: str) -> Record:
    return record | {name: mask_text(record[name]) for name in names if record[name]}


def _by_oid(records: Iterable[Record]) -> defaultdict[int, list[Record]]:
    groups: defaultdict[int, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.pop("oid")].append(record)
    return groups


def _keys(records: list[Record]) -> Record:
    of_kind: dict[str, list[Record]] = {kind: [] for kind in "puf"}
    for record in records:
        of_kind[record.pop("kind")].append(record)
    return {
        "primary_key": of_kind["p"][0]["columns"] if of_kind["p"] else [],
        "unique_keys": [key["columns"] for key in of_kind["u"]],
        "foreign_keys": [ForeignKey(**key) for key in of_kind["f"]],
    }
