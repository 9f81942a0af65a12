"""Full text: chunks that hold the words of a question, the telling words first, and where these stand."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.documents.model import NO_LANGUAGE, Collection
from dbrag.errors import Invalid
from dbrag.vectors.model import Hit, Span

SQL = beside(__file__, "words.sql")

CAP = 2000
"""Up to so many chunks a word is counted, and as many are ranked at most: some 40 ms of PostgreSQL's time."""

MOST_TERMS = 32
"""Words of a question that are looked up at most, each of which costs a look into the index."""

FRESH_ROWS = 1000
"""What a collection may have beyond its sealed segments; only how rare words are compared is decided by it."""

# Characters that no text should have; where one does, it gets no highlights.
BEGIN, END = "\x01", "\x02"
MARKS = f'HighlightAll=true, StartSel="{BEGIN}", StopSel="{END}"'


class Term(NamedTuple):
    """A word of a question as it is looked up; it stands in `chunks` of some `total` (CAP: or more)."""

    lexeme: str
    chunks: int
    total: int

    @property
    def query(self) -> str:
        """As a tsquery."""
        quoted = self.lexeme.replace("\\", "\\\\").replace("'", "''")
        return f"'{quoted}'"

    @property
    def weight(self) -> float:
        """How telling the word is (inverse document frequency as in BM25, Robertson and Zaragoza 2009)."""
        total = max(self.total, self.chunks)
        return math.log(1 + (total - self.chunks + 0.5) / (self.chunks + 0.5))


def search_words(
    conn: Connection, collection: Collection, query: str, limit: int, metadata_filter: dict[str, Any] | None
) -> list[Hit]:
    """Chunks of live documents that hold words of the query, best first; none where no word of it counts.

    Raises: Invalid where the collection's words are not looked up.
    """
    return search_terms(conn, collection, find_terms(conn, collection, query), limit, metadata_filter)


def search_terms(
    conn: Connection,
    collection: Collection,
    terms: Sequence[Term],
    limit: int,
    metadata_filter: dict[str, Any] | None,
) -> list[Hit]:
    """The same for words that were looked up."""
    found: dict[int, Hit] = {}
    for sought in soughts(terms):
        found |= {hit.chunk_id: hit for hit in _search(conn, collection, terms, sought, limit, metadata_filter)}
        if len(found) >= limit:
            break
    return sorted(found.values(), key=lambda hit: (-hit.score, hit.chunk_id))[:limit]


def coverage(conn: Connection, collection: Collection, terms: Sequence[Term], text: str) -> float | None:
    """The share of these words, by their weight, that a text has: 0–1; None without words."""
    if not terms:
        return None
    asked = {"language": collection.language, "text": text, "terms": [term.query for term in terms]}
    row = conn.execute(SQL.words_in_text, asked).fetchone()
    assert row is not None
    there = sum(term.weight for term, is_there in zip(terms, row[0], strict=True) if is_there)
    return there / sum(term.weight for term in terms)


def soughts(terms: Sequence[Term]) -> Iterator[str]:
    """What chunks are looked for by, as tsqueries; the next one, too, where those before find too little.

    Any of the rarest words that stand in CAP chunks together, or one; where even that is too common, first with one of
    the others beside it. At last any of the words: a rare one must not hide the rest of the question. CAP chunks are
    ranked each time, however large the collection is; but PostgreSQL reads whole lists of words in the index (0.13 s at
    450,000 chunks), which is why that comes last.
    """
    known = [term for term in terms if term.chunks]
    if not known:
        return
    rarest, *others = known
    if rarest.chunks == CAP and others:
        yield f"{rarest.query} & ({' | '.join(term.query for term in others)})"
    rare, covered = [rarest.query], rarest.chunks
    for term in others:
        if covered + term.chunks > CAP:
            break
        rare.append(term.query)
        covered += term.chunks
    yield " | ".join(rare)
    if len(rare) < len(known):
        yield " | ".join(term.query for term in known)


def highlights(marked: str, text: str, start: int) -> list[Span]:
    """Where the words stand in the source document; `marked` is the text with marks, at `start` in the document.

    None where the marks are not all that was changed.
    """
    if BEGIN in text or END in text or marked.replace(BEGIN, "").replace(END, "") != text:
        return []
    spans: list[Span] = []
    # Each pair of marks before it has moved the next one by two.
    for number, found in enumerate(re.finditer(f"{BEGIN}([^{END}]*){END}", marked)):
        begin = start + found.start() - 2 * number
        spans.append(Span(begin, begin + len(found[1])))
    return spans


def find_terms(conn: Connection, collection: Collection, query: str) -> list[Term]:
    """The words of a query that count, as the collection has them, the rarest first.

    Raises: Invalid where its words are not looked up.
    """
    if collection.language == NO_LANGUAGE:
        raise Invalid(
            f"the words of the collection {collection.name!r} are not looked up (its language is `none`): use the mode "
            "`vector`",
            code="no_full_text",
        )
    asked = {
        "language": collection.language,
        "query": query,
        "own": _own(collection),
        "generation_id": collection.generation_id,
        "cap": CAP,
        "most": MOST_TERMS,
        "fresh": FRESH_ROWS,
    }
    rows = conn.execute(SQL.terms, asked, prepare=False)
    return [Term(lexeme, chunks, int(total)) for lexeme, chunks, total in rows]


def _search(
    conn: Connection,
    collection: Collection,
    terms: Sequence[Term],
    sought: str,
    limit: int,
    metadata_filter: dict[str, Any] | None,
) -> list[Hit]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            SQL.search_words,
            {
                "language": collection.language,
                "collection_id": collection.id,
                "own": _own(collection),
                "terms": [term.query for term in terms if term.chunks],
                "weights": [term.weight for term in terms if term.chunks],
                "sought": sought,
                "question": " | ".join(term.query for term in terms),
                "candidates": CAP,
                "filter": Jsonb(metadata_filter) if metadata_filter else None,
                "limit": limit,
                "marks": MARKS,
            },
            # A prepared statement gets a generic plan in the end: at 450,000 chunks it took 7 s instead of 0.1 s.
            prepare=False,
        ).fetchall()
    return [
        Hit(**row, highlights=highlights(marked, row["text"], row["start"]))
        for row in rows
        for marked in [row.pop("marked")]
    ]


def _own(collection: Collection) -> str:
    """The word that all chunks of a collection have; see migration 0004."""
    return f"'c{collection.id}'"
