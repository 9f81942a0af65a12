"""The table of faults in docs/reliability.md, made from the suite: `python -m tests.faults.table` prints it.

A row for each strike: its name, what is struck, what is promised (its docstring), its file. A file without strikes has
one row: its docstring and the names of its tests.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent


class Row(NamedTuple):
    """Of the table; all Markdown."""

    fault: str
    struck: str
    promise: str
    file: str


def table() -> str:
    """The table, as it must stand in the docs."""
    rows = [Row("fault", "what is struck", "what holds", "test"), Row("---", "---", "---", "---")]
    for file in sorted(FOLDER.glob("test_*.py")):
        rows += _rows(file)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _rows(file: Path) -> Iterator[Row]:
    module = ast.parse(file.read_text())
    link = f"[{file.stem}](../tests/faults/{file.name})"
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    strikes = [(function, struck) for function in functions if (struck := _struck(function))]
    for function, struck in strikes:
        yield Row(_words(function.name), struck, _sentences(function), link)
    if not strikes:
        tests = [_words(function.name.removeprefix("test_")) for function in functions if "test_" in function.name]
        yield Row(_words(file.stem.removeprefix("test_")), _sentences(module), "; ".join(tests), link)


def _struck(function: ast.FunctionDef) -> str | None:
    """The first argument of `@strike`, None for any other function."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "strike":
            return str(ast.literal_eval(decorator.args[0]))
    return None


def _sentences(node: ast.FunctionDef | ast.Module) -> str:
    return " ".join((ast.get_docstring(node) or "").split())


def _words(name: str) -> str:
    return name.replace("_", " ")


if __name__ == "__main__":
    print(table(), end="")
