"""The gold list of the catalog's benchmark fits the database that it asks about."""

import re
from pathlib import Path

from benchmarks.catalog_gold import BOTH, DOCUMENTS, TABLES

SHOP = Path(__file__).parents[2] / "samples" / "databases" / "shop.sql"
RELATION = re.compile(r"^CREATE (?:TABLE|VIEW|MATERIALIZED VIEW) (\w+\.\w+)\b(?! PARTITION OF)", re.MULTILINE)


def test_every_table_that_answers_a_question_is_there() -> None:
    there = set(RELATION.findall(SHOP.read_text()))
    assert len(there) >= 40
    assert {table for tables in TABLES.values() for table in tables} <= there


def test_there_are_so_many_questions_and_none_twice() -> None:
    assert (len(TABLES), len(DOCUMENTS), len(BOTH)) == (40, 30, 10)
    assert len({*TABLES, *DOCUMENTS, *BOTH}) == 80
