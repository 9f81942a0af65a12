"""The questions of the catalog's benchmark fit the databases that they ask about."""

import re

import pytest

from benchmarks.catalog_questions import SHOPS, Shop

RELATION = re.compile(r"^CREATE (?:TABLE|VIEW|MATERIALIZED VIEW) (\w+\.\w+)\b(?! PARTITION OF)", re.MULTILINE)

shops = pytest.mark.parametrize("shop", SHOPS, ids=[shop.name for shop in SHOPS])


@shops
def test_every_table_that_answers_a_question_is_there(shop: Shop) -> None:
    there = set(RELATION.findall(shop.schema.read_text()))
    assert len(there) >= 40
    assert {table for tables in shop.tables.values() for table in tables} <= there


@shops
def test_there_are_so_many_questions_and_none_twice(shop: Shop) -> None:
    assert (len(shop.tables), len(shop.documents), len(shop.both)) == (40, 30, 10)
    assert len({question.text for question in shop.questions}) == 100
