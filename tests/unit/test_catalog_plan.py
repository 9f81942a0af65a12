"""What an update of the catalog decides to do, and whose words follow which table."""

import pytest

from dbrag.catalog.model import Table, TableKind
from dbrag.catalog.overrides import Override, remade
from dbrag.catalog.plan import Found, Known, decide, in_scope
from dbrag.errors import Permanent

WORDS = {"purpose": "mine"}


def found(oid: int, fingerprint: bytes = b"same", rows: int | None = None) -> Found:
    return Found(Table(oid, "s", f"t{oid}", TableKind.TABLE, row_estimate=rows), fingerprint)


def known(
    oid: int, *, rows: int | None = None, ask_again: bool = False, override: dict[str, str] | None = None
) -> Known:
    return Known(oid, b"same", rows, ask_again, override)


@pytest.mark.parametrize(
    ("before", "now", "said", "is_due"),
    [
        pytest.param(None, found(1), None, True, id="a new table"),
        pytest.param(known(1), found(1), None, False, id="one that is as it was"),
        pytest.param(known(1), found(1, b"other"), None, True, id="one that has changed"),
        pytest.param(known(1), found(1, rows=7), None, False, id="other statistics are no change"),
        pytest.param(known(1, ask_again=True), found(1), None, True, id="a makeshift for a passing reason"),
        pytest.param(known(1), found(1), WORDS, True, id="new words of its user"),
        pytest.param(known(1, override=WORDS), found(1), WORDS, False, id="the same words"),
        pytest.param(known(1, override=WORDS), found(1), None, True, id="words that were taken back"),
    ],
)
def test_a_table_is_described_when_there_is_reason(
    before: Known | None, now: Found, said: dict[str, str] | None, *, is_due: bool
) -> None:
    plan = decide([now], {1: before} if before else {}, {1: said} if said else {}, force=False)
    assert ([now.table] if is_due else []) == plan.due
    assert ([] if is_due else [now.table]) == plan.unchanged
    forced = decide([now], {1: before} if before else {}, {1: said} if said else {}, force=True)
    assert forced.due == [now.table]


def test_other_statistics_are_written_where_nothing_else_is() -> None:
    tables = [found(1, rows=7), found(2, rows=3), found(3, b"other", rows=9)]
    plan = decide(tables, {1: known(1, rows=7), 2: known(2, rows=2), 3: known(3)}, {}, force=False)
    assert [table.oid for table in plan.counted] == [2]


LISTED = {1: ("shop", "orders"), 2: ("shop", "items"), 3: ("hr", "orders")}


@pytest.mark.parametrize(
    ("schema", "table", "oids"),
    [(None, None, [1, 2, 3]), ("shop", None, [1, 2]), (None, "orders", [1, 3]), ("hr", "orders", [3])],
)
def test_an_update_is_of_what_was_named(schema: str | None, table: str | None, oids: list[int]) -> None:
    assert in_scope(LISTED, schema, table) == oids


def test_what_is_not_there_is_refused_unless_everything_was_meant() -> None:
    assert in_scope({}, None, None) == []
    with pytest.raises(Permanent, match=r"there is no 'shop\.nothing'"):
        in_scope(LISTED, "shop", "nothing")


@pytest.mark.parametrize(
    ("standing", "pairs"),
    [
        pytest.param([Override(1, "shop", "orders", WORDS)], {}, id="the table is there"),
        pytest.param([Override(1, "shop", "old", WORDS)], {}, id="it was renamed"),
        pytest.param([Override(9, "shop", "items", WORDS)], {9: 2}, id="it was made anew"),
        pytest.param([Override(9, "shop", "gone", WORDS)], {}, id="it is gone"),
        pytest.param(
            [Override(9, "shop", "items", WORDS), Override(2, "shop", "items", WORDS)], {}, id="somebody spoke of both"
        ),
    ],
)
def test_words_follow_a_table_that_was_made_anew(standing: list[Override], pairs: dict[int, int]) -> None:
    assert remade(standing, LISTED) == pairs
