"""How connections and tables look; pure functions from the API's answers to what rich prints."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from dbrag.cli.render import hits
from dbrag.client.catalog_model import Connection, JoinPath, Route, Table, TableHit, TablesFound, TableSummary

PURPOSE_CHARS = 160
ROUTED = 2


def connections(found: Sequence[Connection]) -> RenderableType:
    """A line a connection."""
    if not found:
        return Text("No connections: dbrag catalog add NAME makes one.")
    grid = Grid("name", "database", "host", "user", "tables", "updated every", box=None, pad_edge=False)
    for one in found:
        every = f"{one.update_every_s} s" if one.update_every_s else ""
        place = f"{one.host}:{one.port}" if one.host else "no key opens its DSN"
        grid.add_row(one.name, one.database, place, one.user, str(one.tables), every)
    return grid


def tables(found: Sequence[TableSummary]) -> RenderableType:
    """A line a table."""
    if not found:
        return Text("No described tables yet: dbrag catalog update NAME looks for them.")
    grid = Grid("table", "kind", "columns", "rows", "by", "purpose", box=None, pad_edge=False)
    for one in found:
        rows = "" if one.row_estimate is None else f"{one.row_estimate:,}"
        grid.add_row(one.full_name, one.kind, str(one.columns), rows, one.described_by, _cut(one.purpose))
    return grid


def table(one: Table) -> RenderableType:
    """All of one table."""
    said = one.description
    facts = [
        ("purpose", said.purpose),
        ("grain", said.grain),
        ("key columns", ", ".join(said.key_columns)),
        ("synonyms", ", ".join(said.synonyms)),
        ("rows", "" if one.row_estimate is None else f"some {one.row_estimate:,}"),
        ("described by", one.described_by),
    ]
    grid = Grid.grid(padding=(0, 2))
    for label, value in facts:
        if value:
            grid.add_row(Text(label, "dim"), Text(value))
    columns = Grid("column", "type", "comment", box=None, pad_edge=False)
    for column in one.columns:
        columns.add_row(Text(column.name), column.type, Text(column.comment or ""))
    keys = [
        Text(f"({', '.join(key.columns)}) → {key.target_schema}.{key.target_table} ({', '.join(key.target_columns)})")
        for key in one.foreign_keys
    ]
    questions = [Text(f"? {question}") for question in said.questions]
    title = Text(f"{one.schema_}.{one.table} ({one.kind} of {one.connection})", "bold")
    return Group(title, grid, *questions, Text(), columns, *keys)


def found(answer: TablesFound) -> RenderableType:
    """Tables, best first, then how they are joined."""
    if not answer.data:
        return Text("No table found.")
    return Group(*_table_hits(answer.data), *(Text(f"join {_join(path)}", "dim") for path in answer.joins))


def route(answer: Route, snippet_chars: int = PURPOSE_CHARS) -> RenderableType:
    """The verdict, and the best of both sides."""
    verdict = Text(f"{answer.target}", "bold")
    verdict.append(f"  (documents {answer.scores.documents:.2f}, tables {answer.scores.tables:.2f})", "dim")
    shown: list[RenderableType] = [verdict]
    if answer.target in ("tables", "both"):
        shown += _table_hits(answer.tables[:ROUTED])
    if answer.target in ("documents", "both"):
        shown.append(hits(answer.documents[:ROUTED], snippet_chars))
    return Group(*shown)


def _table_hits(found: Sequence[TableHit]) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for place, hit in enumerate(found, 1):
        line = Text(f"{place}. {hit.connection}: {hit.full_name}", "bold")
        line.append(f"  {hit.score:.3f}", "dim")
        columns = ", ".join(column.name for column in hit.columns)
        lines += [line, Padding(Text(_cut(hit.description.purpose)), (0, 0, 0, 3), expand=False)]
        if columns:
            lines.append(Padding(Text(f"columns: {columns}", "dim"), (0, 0, 0, 3), expand=False))
    return lines


def _join(path: JoinPath) -> str:
    return ", ".join(
        f"{step.from_table} ({', '.join(step.from_columns)}) = {step.to_table} ({', '.join(step.to_columns)})"
        for step in path.steps
    )


def _cut(text: str) -> str:
    return text if len(text) <= PURPOSE_CHARS else text[: PURPOSE_CHARS - 1] + "…"
