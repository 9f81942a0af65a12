"""A benchmark's results for people (a table) or for programs (JSON)."""

import json
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.figures import machine

WIDTH = 150
"""Of a table that goes into a file or a pipe, where rich would take 80 columns."""

Row = Sequence[str]


def show_table(title: str, header: Row, rows: Iterable[Row]) -> None:
    """Print a table with the machine below it; the first column is left-aligned, the others hold figures."""
    table = Table(title=title, caption=machine())
    for i, name in enumerate(header):
        table.add_column(name, justify="right" if i else "left")
    for row in rows:
        table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(table)


def show_runs(title: str, runs: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    """Print a table with a column for each run, by its name; a run has the same rows (name, figure) as the others."""
    rows = [(cells[0][0], *(figure for _, figure in cells)) for cells in zip(*runs.values(), strict=True)]
    show_table(title, ["", *runs], rows)


def show_json(**results: object) -> None:
    """Print the results and the machine as one JSON object."""
    print(json.dumps({"machine": machine(), **results}, indent=2))
