"""Names of tables and columns as people say them: split into words, written out, in the singular and the plural."""

import re

from dbrag.catalog.abbreviations import ABBREVIATIONS


def word_list(text: str) -> frozenset[str]:
    """The words of a constant."""
    return frozenset(text.split())


PREFIXES = word_list("tbl tb t vw v mv dim fact fct stg lkp lu xref")
"""What says the kind of a table and nothing of what is in it."""

_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z])(?=[0-9]+$)")
_IRREGULAR = {
    "people": "person", "children": "child", "men": "man", "women": "woman", "feet": "foot", "indices": "index",
    "matrices": "matrix", "criteria": "criterion", "movies": "movie", "cookies": "cookie", "caches": "cache",
    "sizes": "size", "prizes": "prize", "analyses": "analysis", "bases": "base", "databases": "database",
}  # fmt: skip
_PLURALS = {singular: plural for plural, singular in _IRREGULAR.items()}
_UNCHANGED = word_list("series species news staff data metadata stock personnel equipment inventory history")


def words(name: str) -> list[str]:
    """The words of snake_case, camelCase and whatever else is between letters and digits, in lower case."""
    return [word.lower() for part in re.findall(r"[^\W_]+", name) for word in _HUMPS.split(part) if word]


def table_words(name: str) -> list[str]:
    """The words of a table's name without prefixes such as `tbl_`, unless nothing else is left."""
    found = words(name)
    kept = found
    while len(kept) > 1 and kept[0] in PREFIXES:
        kept = kept[1:]
    return kept if any(word.isalpha() for word in kept) else found


def written_out(found: list[str]) -> list[str]:
    """The same words with abbreviations in full, unless they may mean several things."""
    return [" ".join(meanings) if len(meanings := ABBREVIATIONS.get(word, ())) == 1 else word for word in found]


def meanings(found: list[str]) -> list[str]:
    """What those words may mean that are not written out because they may mean several things."""
    return [each for word in found if len(several := ABBREVIATIONS.get(word, ())) > 1 for each in several]


def spoken(name: str) -> str:
    """A column's name as it is said: `unit_prc` is `unit price`."""
    return " ".join(written_out(words(name)))


def singular(word: str) -> str:
    """Of one English word, by rule and a few exceptions; what is no plural stays."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _UNCHANGED or len(word) < 4 or re.search(r"(?:ss|us|is)$", word):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if re.search(r"(?:sses|xes|zzes|ches|shes|[bcdfghlmnprtv]uses)$", word):
        return word[:-2]
    return word.removesuffix("s")


def plural(word: str) -> str:
    """Of one English word that may be in the plural already."""
    if word in _UNCHANGED or not word.isalpha():
        return word
    one = singular(word)
    if one != word or word in _IRREGULAR:
        return word
    if word in _PLURALS:
        return _PLURALS[word]
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + ("es" if re.search(r"(?:s|x|z|ch|sh)$", word) else "s")


def one_of(found: list[str]) -> str:
    """What one row of a table with this name is called: `order items` is `order item`."""
    return " ".join([*found[:-1], *map(singular, found[-1:])])


def many_of(found: list[str]) -> str:
    """What several of them are called."""
    return " ".join([*found[:-1], *map(plural, found[-1:])])


def plural_of(phrase: str) -> str:
    """`order items` of `order item`."""
    return many_of(phrase.split())


def with_article(phrase: str) -> str:
    """`an order`, `a customer`; by the first letter: of words in u more take `a` (user, unit) than `an`."""
    return f"{'an' if phrase[:1] in tuple('aeio') else 'a'} {phrase}"
