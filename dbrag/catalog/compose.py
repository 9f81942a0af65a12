"""Describes a table out of its names, comments, keys and samples: what there is when no chat model is."""

import re
from collections.abc import Iterable, Sequence

from dbrag.catalog.abbreviations import SYNONYMS
from dbrag.catalog.instructions import harmless
from dbrag.catalog.kinds import is_amount, is_date, links, role, said, target, values
from dbrag.catalog.model import Column, Description, Row, Table, TableKind
from dbrag.catalog.names import many_of, meanings, one_of, singular, spoken, table_words
from dbrag.catalog.questions import questions

VERSION = 1
"""Counted up when the same table would be described in other words: then all are described anew."""

MOST_KEY_COLUMNS, MOST_SYNONYMS, MOST_PURPOSE = 12, 8, 500
_VIEWS = (TableKind.VIEW, TableKind.MATERIALIZED_VIEW)
_SOURCE = re.compile(r'\b(?:FROM|JOIN)\s+\(*(?:"?\w+"?\.)?"?(\w+)"?', re.I)
_GROUPS = re.compile(r"\bGROUP BY\s+((?:(?:\w+\.)?\w+(?:,\s*)?)+)\s*(?:;|HAVING|ORDER|LIMIT|$)", re.I)


def compose(table: Table, samples: Sequence[Row]) -> Description:
    """The description that the table gives of itself. Comments and values that read like instructions are left out."""
    return Description(
        purpose=_purpose(table, samples),
        grain=_grain(table),
        key_columns=key_columns(table),
        synonyms=_synonyms(table),
        questions=questions(table),
    )


def key_columns(table: Table) -> list[str]:
    """Its keys, then dates and amounts; the most telling first."""
    keys = [
        *table.primary_key,
        *(column for key in table.unique_keys for column in key),
        *(column for key in table.foreign_keys for column in key.columns),
        *(column.name for column in table.columns if is_date(column)),
        *(column.name for column in table.columns if is_amount(column)),
    ]
    return list(dict.fromkeys(keys))[:MOST_KEY_COLUMNS]


def most_telling(columns: Iterable[Column], first: Iterable[str]) -> list[Column]:
    """Those that `first` names, in its order, then what has a comment, then the others; as they come otherwise."""
    place = {name: number for number, name in enumerate(dict.fromkeys(first))}
    return sorted(columns, key=lambda column: (place.get(column.name, len(place)), not column.comment))


def _purpose(table: Table, samples: Sequence[Row]) -> str:
    begin = harmless(table.comment) or _purpose_by_name(table)
    shown = [(spoken(column.name), values(column, samples)) for column in table.columns]
    codes = [
        f"{name.capitalize()}: {', '.join(words)}." for name, words in shown if words and harmless(" ".join(words))
    ]
    if codes and begin[-1] not in ".!?":
        begin += "."
    return " ".join([_shortened(begin), *codes[:3]])


def _purpose_by_name(table: Table) -> str:
    name = harmless(many_of(said(table.name)))
    if not name or not _says_something(said(table.name)):
        return _purpose_by_columns(table)
    linked = [target(key) for key in links(table)]
    if linked:
        return f"{name.capitalize()}: which {_listed(linked)} belong together."
    if table.kind in _VIEWS:
        sources = [many_of(said(source)) for source in _sources(table)]
        return f"{name.capitalize()}, out of {_listed(sources)}." if sources else f"{name.capitalize()}."
    related = list(dict.fromkeys(role(key) for key in table.foreign_keys))[:4]
    return f"{name.capitalize()}, each with its {_listed(related)}." if related else f"{name.capitalize()}."


def _purpose_by_columns(table: Table) -> str:
    """For a name that says nothing: what its columns say, and if they say nothing either, the name."""
    said_of_columns = [harmless(column.comment) or harmless(spoken(column.name)) for column in table.columns]
    told = [text.rstrip(".") for text in said_of_columns if text and _says_something(text.split())]
    name = harmless(table.name) or "a table"
    return f"{name}: {_shortened(', '.join(told[:8]))}." if told else f"{name}."


def _sources(table: Table) -> list[str]:
    return list(dict.fromkeys(_SOURCE.findall(table.definition or "")))[:6]


def _grain(table: Table) -> str:
    """What one row stands for; empty where keys do not tell."""
    grouped = _GROUPS.search(table.definition or "")
    if grouped:
        return f"One row per {_listed([spoken(part.split('.')[-1].strip()) for part in grouped[1].split(',')])}."
    linked = [target(key) for key in links(table)]
    if linked:
        return f"One row per pair of {_listed(linked)}." if len(linked) == 2 else f"One row per {_listed(linked)}."
    key = table.primary_key or [*table.unique_keys, list[str]()][0]
    name = harmless(one_of(said(table.name))) or table.name
    if len(key) > 1:
        roles = {column: role(each) for each in table.foreign_keys for column in each.columns if len(each.columns) == 1}
        return f"One row per {_listed([roles.get(column) or spoken(column) or column for column in key])}."
    extended = next((each for each in table.foreign_keys if key and each.columns == key), None)
    if extended:
        return f"At most one row per {target(extended)}."
    return f"One row per {name}." if key else ""


def _synonyms(table: Table) -> list[str]:
    """The other number, other meanings of short forms, and other words for the same thing."""
    short, found = table_words(table.name), said(table.name)
    if not _says_something(found):
        return []
    phrases = [one_of(found), many_of(found)]
    for place, word in enumerate(short):
        others = [*meanings([word]), *SYNONYMS.get(singular(found[place]), ())]
        phrases += [many_of([*found[:place], other, *found[place + 1 :]]) for other in others]
    as_written = " ".join(short)
    return [text for text in dict.fromkeys(phrases) if text != as_written and harmless(text)][:MOST_SYNONYMS]


def _says_something(found: Sequence[str]) -> bool:
    """Not `t 1`, nor `x`."""
    return any(re.search(r"[^\W\d_]{3}", word) for word in found)


def _listed(texts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(texts[:-1]), *texts[-1:]] if len(texts) > 1 else texts)


def _shortened(text: str, most: int = MOST_PURPOSE) -> str:
    """Cut between words."""
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0] + " …"
