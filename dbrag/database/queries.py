"""Named SQL blocks: a `.sql` file beside its Python module becomes an object with one attribute a block.

A block begins with a line `-- name: word` and a comment that says what it does; its parameters are `%(name)s`, and
`{name}` stands for an identifier that the caller fills in with `psycopg.sql.Identifier`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString, cast

from psycopg.sql import SQL

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


class Queries:
    """The blocks of one file, as attributes."""

    def __init__(self, path: Path) -> None:
        parts = _NAME.split(path.read_text())[1:]
        # The text is ours, read from the package and never from a user: as literal as source code.
        self._blocks = {
            name: SQL(cast(LiteralString, block.strip())) for name, block in zip(parts[::2], parts[1::2], strict=True)
        }

    def __getattr__(self, name: str) -> SQL:
        try:
            return self._blocks[name]
        except KeyError:
            raise AttributeError(f"no SQL block named {name}") from None

    def __iter__(self) -> Iterator[tuple[str, SQL]]:
        return iter(self._blocks.items())


def beside(module_file: str, name: str = "store.sql") -> Queries:
    """The blocks of the file `name` in the folder of `module_file` (a module's `__file__`)."""
    return Queries(Path(module_file).with_name(name))
