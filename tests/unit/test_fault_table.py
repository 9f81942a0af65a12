"""The table of faults in docs/reliability.md."""

from pathlib import Path

from tests.faults.table import table


def test_the_table_in_the_docs_is_that_of_the_suite() -> None:
    docs = Path(__file__).parents[2] / "docs" / "reliability.md"
    assert table() in docs.read_text(), "run: .venv/bin/python -m tests.faults.table, and put it into the docs"
