"""What a column, or a table, is for, told from its keys, its type and the words of its name."""

import re
from collections.abc import Sequence

from dbrag.catalog.model import Column, ForeignKey, Row, Table
from dbrag.catalog.names import meanings, one_of, spoken, table_words, word_list, words, written_out

_DATE = re.compile(r"date|timestamp", re.I)
_NUMBER = re.compile(r"(?:numeric|decimal|money|integer|bigint|smallint|real|double|float|int\d)", re.I)
_AMOUNTS = word_list(
    "amount price cost total subtotal sum quantity salary pay wage balance revenue fee discount tax budget "
    "rate count value hours weight rating score stock percent margin bonus limit"
)
_CODES = word_list(
    "status state type kind category priority method channel stage phase severity tier segment reason "
    "condition level size color colour unit currency department"
)
_KEPT_BY_MACHINES = word_list("updated modified deleted inserted changed synced loaded refreshed")
_SHORT_WORD = re.compile(r"[^\W\d_][^\W_]*(?:[ _-][^\W_]+){0,2}")
_MOST_SHOWN = 6


def said(table_name: str) -> list[str]:
    """The words of a table's name, written out."""
    return written_out(table_words(table_name))


def is_date(column: Column) -> bool:
    """A day or a time that somebody asks for."""
    return bool(_DATE.match(column.type)) and not is_kept_by_machines(column)


def is_kept_by_machines(column: Column) -> bool:
    """When, or by whom, the row was last touched: most tables have it, and nobody looks for it."""
    return not _KEPT_BY_MACHINES.isdisjoint(words(column.name))


def is_amount(column: Column) -> bool:
    """A number that is added up or compared."""
    return bool(_NUMBER.match(column.type)) and not _AMOUNTS.isdisjoint(spoken(column.name).split())


def is_code(column: Column) -> bool:
    """One of few words that say how or what something is, such as a status; not a key of a table of them."""
    found = spoken(column.name).split()
    return bool(found) and (found[-1] in _CODES or (found[-1] == "code" and not _CODES.isdisjoint(found)))


def values(column: Column, samples: Sequence[Row]) -> list[str]:
    """The few short words that a code has in the samples; empty for every other column.

    Nothing else of the samples is ever shown: what is masked or cut, has a digit in front or is long is no such word.
    """
    if not is_code(column):
        return []
    found = dict.fromkeys(value.strip() for row in samples if (value := row.get(column.name)))
    if len(found) > _MOST_SHOWN or not all(len(value) <= 24 and _SHORT_WORD.fullmatch(value) for value in found):
        return []
    return list(found)


def role(key: ForeignKey) -> str:
    """What the other table's row is to this one, `manager` of `manager_id`; else that row's own name.

    That is what a short form with several meanings stands for here, too.
    """
    if len(key.columns) == 1 and not meanings(words(key.columns[0])):
        found = written_out(words(key.columns[0]))
        while found and found[-1] in ("id", "key", "code", "number", "reference", "uuid"):
            found.pop()
        if found:
            return " ".join(found)
    return target(key)


def target(key: ForeignKey) -> str:
    """What one row of the table that is referred to is called."""
    return one_of(said(key.target_table)) or key.target_table


def links(table: Table) -> list[ForeignKey]:
    """The foreign keys that a link table's rows consist of; empty for every other table."""
    covered = {column for key in table.foreign_keys for column in key.columns}
    identity = table.primary_key if len(table.primary_key) > 1 else []
    rest = {column.name for column in table.columns} - covered - set(table.primary_key)
    if len(table.foreign_keys) < 2 or not (set(identity) <= covered if identity else not rest):
        return []
    return [key for key in table.foreign_keys if not identity or not set(key.columns).isdisjoint(identity)]
