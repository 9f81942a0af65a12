"""Questions that a table can answer, by templates out of its keys and columns."""

from dbrag.catalog.instructions import reads_like_instructions
from dbrag.catalog.kinds import is_amount, is_code, is_date, links, role, said, target
from dbrag.catalog.model import Column, Table
from dbrag.catalog.names import many_of, one_of, plural_of, spoken, with_article, word_list

MOST_QUESTIONS = 6
_PER_KIND = 2
_DONE = word_list("paid sent made taken sold bought begun given held written seen read")


def questions(table: Table) -> list[str]:
    """The first few; none where the table's name says nothing."""
    many, one = many_of(said(table.name)), one_of(said(table.name))
    if not many:
        return []
    keyed = {name for key in table.foreign_keys for name in key.columns} | set(table.primary_key)
    columns = [column for column in table.columns if column.name not in keyed and spoken(column.name)]
    found = [
        *_of_keys(table, many, one)[:_PER_KIND],
        *[_of_amount(table, spoken(column.name), many) for column in columns if is_amount(column)][:_PER_KIND],
        *[f"How many {many} have which {spoken(column.name)}?" for column in columns if is_code(column)][:_PER_KIND],
        *[_of_date(column, one) for column in columns if is_date(column)][:_PER_KIND],
    ]
    return [text for text in dict.fromkeys(found) if not reads_like_instructions(text)][:MOST_QUESTIONS]


def _of_keys(table: Table, many: str, one: str) -> list[str]:
    linked = [target(key) for key in links(table)]
    if len(linked) > 1:
        left, right = linked[:2]
        pairs = ((left, right), (right, left))
        return [f"Which {plural_of(one)} belong to {with_article(other)}?" for one, other in pairs]
    return [
        f"Which {one} is the {role(key)} of {with_article(one)}?"
        if key.target_table == table.name
        else f"Which {many} belong to {with_article(role(key))}?"
        for key in table.foreign_keys
    ]


def _of_amount(table: Table, amount: str, many: str) -> str:
    by = [f" of {with_article(role(key))}" for key in table.foreign_keys if key.target_table != table.name]
    return f"What is the {amount} of {many}{by[0] if by else ''}?"


def _of_date(column: Column, one: str) -> str:
    """`shipped_at` says what was done, `due_on` and `due_date` what it is."""
    found = spoken(column.name).split()
    if len(found) > 1 and found[-1] in ("at", "on"):
        if found[0].endswith("ed") or found[0] in _DONE:
            return f"When was {with_article(one)} {' '.join(found[:-1])}?"
        found[-1] = "date"
    return f"What is the {' '.join(found)} of {with_article(one)}?"
