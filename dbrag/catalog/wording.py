"""The one text of a table that is embedded and looked up by its words."""

import re
from collections.abc import Iterable

from dbrag.catalog.compose import key_columns, most_telling
from dbrag.catalog.fitting import fitting
from dbrag.catalog.instructions import harmless, on_one_line
from dbrag.catalog.kinds import is_kept_by_machines, role, said, target
from dbrag.catalog.model import Column, Description, Table
from dbrag.catalog.names import meanings, spoken, words

MOST_TOKENS = 1100
"""Of the whole text. The default chunk has 400, but a table is embedded in one piece."""

_COLUMNS_TOKENS = 500
_LINE_CHARACTERS = 2400
_COMMENT_CHARACTERS = 120
_UNTOLD = frozenset(("public", "dbo", "main"))
_GRAIN = re.compile(r"^(?:at most )?one row (?:per|for each|for every)\s+", re.I)


def embedded_text(table: Table, description: Description, most_tokens: int = MOST_TOKENS) -> str:
    """What is said of the table, the most telling first: names as written and in words, purpose, columns, questions.

    The local model takes the mean of all words, so each phrase is there once, and nothing that all tables would share.
    """
    lines = [
        _names(table),
        description.purpose,
        "; ".join(description.synonyms),
        _GRAIN.sub("", description.grain),
        _refers_to(table),
        _columns(table, description),
        " ".join(description.questions),
    ]
    clean = (on_one_line(line[:_LINE_CHARACTERS]) for line in lines)
    kept = _bounded(filter(None, clean), min(most_tokens, MOST_TOKENS), "\n")
    return kept or f"table {table.oid}"


def _names(table: Table) -> str:
    schema = "" if table.schema in _UNTOLD else " ".join(words(table.schema))
    return ", ".join(dict.fromkeys(name for name in (table.name, " ".join(said(table.name)), schema) if name))


def _refers_to(table: Table) -> str:
    return ", ".join(dict.fromkeys(name for key in table.foreign_keys for name in (role(key), target(key))))


def _columns(table: Table, description: Description) -> str:
    """The columns with their comments: the description's key columns, those with a comment, then the others.

    Left out are those that are named elsewhere (references, the table's own number) or that all tables have.
    """
    named = {name for key in table.foreign_keys for name in key.columns} | set(table.primary_key[:1])
    telling = [
        column
        for column in table.columns
        if column.comment or not (column.name in named or is_kept_by_machines(column))
    ]
    ordered = most_telling(telling, [*description.key_columns, *key_columns(table)])
    return _bounded(dict.fromkeys(map(_column, ordered)), _COLUMNS_TOKENS, ", ")


def _column(column: Column) -> str:
    comment = harmless(column.comment)
    name = " ".join([spoken(column.name), *meanings(words(column.name))]).strip() or column.name
    return f"{name} ({comment[:_COMMENT_CHARACTERS]})" if comment else name


def _bounded(parts: Iterable[str], most_tokens: int, between: str) -> str:
    return between.join(fitting(parts, most_tokens, lambda part: part + between))
