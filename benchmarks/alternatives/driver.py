"""What the drivers share: runs inside an alternative's own virtual environment, so it imports nothing but Python.

A driver is started as `python -m benchmarks.alternatives.drive_<name> task.json`. It prepares everything that its users
have before the first document comes (imports, table, HNSW index, pools), prints a line, waits for a line on stdin,
ingests, and prints the name of its table. It stays until stdin closes, so that its CPU time can be read.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

MODEL = "text-embedding-3-small"
DIMENSIONS = 1536
M, EF_CONSTRUCTION = 16, 64
CHUNK_CHARS, OVERLAP_CHARS = 1840, 184
"""400 and 40 tokens of the corpora's 4.6 characters: their token counters would have to download a vocabulary, or cost
them time for an exactness that makes no difference here."""

IN_FLIGHT = 8
"""Requests at once, and connections."""

T = TypeVar("T")
Ingest = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Task:
    """What to ingest, and where to: a fresh database, reached at postgresql://…; `folder` is for what it needs."""

    database_url: str
    documents: list[dict[str, str]]
    folder: Path


def drive(prepared: Callable[[Task], AbstractAsyncContextManager[Ingest]], table: str) -> None:
    """Run one driver's whole life; `prepared` yields what ingests everything into `table`."""
    asyncio.run(_drive(prepared, table))


async def _drive(prepared: Callable[[Task], AbstractAsyncContextManager[Ingest]], table: str) -> None:
    wish = json.loads(Path(sys.argv[1]).read_text())
    task = Task(wish["database_url"], json.loads(Path(wish["documents"]).read_text()), Path(wish["folder"]))
    async with prepared(task) as ingest:
        print("driver: ready", flush=True)
        sys.stdin.readline()
        await ingest()
        print(f"driver: {table}", flush=True)
        sys.stdin.read()


async def at_once(work: Callable[[list[T]], Awaitable[object]], items: Sequence[T], size: int) -> None:
    """Give `work` all items in slices of `size`, IN_FLIGHT of them at a time."""
    slices = iter([list(items[i : i + size]) for i in range(0, len(items), size)])

    async def take() -> None:
        for slice_ in slices:
            await work(slice_)

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(take())
