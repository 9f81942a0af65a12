"""Every named query fits the schema."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.sql import SQL, Identifier

from dbrag.database.pool import Connection
from dbrag.database.queries import Queries
from dbrag.documents.model import Collection
from dbrag.vectors import segments

ROOT = Path(__file__).parents[2] / "dbrag"
PREPARABLE = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")


def blocks() -> Iterator[tuple[str, str, SQL]]:
    for path in sorted(ROOT.rglob("*.sql")):
        for name, block in Queries(path):
            yield f"{path.parent.name}/{path.stem}", name, block


def without_comments(block: SQL) -> str:
    return re.sub(r"^--.*\n", "", block.as_string(), flags=re.MULTILINE)


# DDL, COPY and ANALYZE cannot be prepared; other tests run them.
PREPARED = [
    pytest.param(block, id=f"{file}:{name}")
    for file, name, block in blocks()
    if PREPARABLE.match(without_comments(block))
]


@pytest.mark.parametrize("block", PREPARED)
def test_a_query_can_be_prepared(conn: Connection, own_collection: Collection, block: SQL) -> None:
    segments.ensure_fresh(conn, own_collection.generation_id)
    text = block.as_string()
    if re.search(r"(?<!\{)\{(table|segment|serving)\}", text):
        table = Identifier(f"generation_{own_collection.generation_id}")
        filled = block.format(
            table=table, segment=table, serving=table, type=SQL("halfvec(8)"), send=Identifier("halfvec_send")
        )
        text = filled.as_string(conn)
    places: dict[str, str] = {}
    numbered = re.sub(r"%\((\w+)\)s", lambda m: places.setdefault(m[1], f"${len(places) + 1}"), text)
    conn.execute(b"PREPARE question AS " + numbered.replace("%%", "%").encode())
    conn.execute("DEALLOCATE question")


def test_blocks_are_named_once_and_used() -> None:
    used = "".join(path.read_text() for path in ROOT.rglob("*.py"))
    unused = [f"{file}:{name}" for file, name, _ in blocks() if not re.search(rf"SQL\.{name}\b", used)]
    assert unused == []
