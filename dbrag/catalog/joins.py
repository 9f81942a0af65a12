"""How tables are joined: the shortest paths of foreign keys between those that were found."""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from itertools import combinations

from pydantic.dataclasses import dataclass

MOST_STEPS = 3
"""Over two tables in between at most: what is farther apart is seldom what a question means."""

Name = tuple[str, str]
"""Schema and table."""


@dataclass(frozen=True, slots=True)
class Step:
    """One foreign key, in the direction of the path, whichever side refers to the other; tables as `schema.table`."""

    foreign_key: str
    from_table: str
    from_columns: list[str]
    to_table: str
    to_columns: list[str]


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key, from the side that has it."""

    name: str
    table: Name
    columns: list[str]
    target: Name
    target_columns: list[str]


def paths(wanted: Sequence[Name], references: Iterable[Reference]) -> list[list[Step]]:
    """The shortest path between each two of the tables, where there is one of MOST_STEPS at most.

    Left out is one that leads over another of these tables, since its parts are there. Of several that are equally
    short the first by name is taken.
    """
    graph = _graph(references)
    found: list[list[Step]] = []
    for start, end in combinations(dict.fromkeys(wanted), 2):
        path = _shortest(graph, start, end, set(wanted) - {start, end})
        if path:
            found.append(path)
    return found


def _graph(references: Iterable[Reference]) -> dict[Name, list[tuple[Name, Step]]]:
    """From each table, the tables that are one step away, in the order of their names."""
    graph: defaultdict[Name, list[tuple[Name, Step]]] = defaultdict(list)
    for one in references:
        here, there = ".".join(one.table), ".".join(one.target)
        graph[one.table].append((one.target, Step(one.name, here, one.columns, there, one.target_columns)))
        if one.table != one.target:
            graph[one.target].append((one.table, Step(one.name, there, one.target_columns, here, one.columns)))
    return {table: sorted(steps, key=lambda step: (step[0], step[1].foreign_key)) for table, steps in graph.items()}


def _shortest(
    graph: dict[Name, list[tuple[Name, Step]]], start: Name, end: Name, avoided: set[Name]
) -> list[Step] | None:
    queue: deque[tuple[Name, list[Step]]] = deque([(start, [])])
    seen = {start} | avoided
    while queue:
        table, path = queue.popleft()
        for other, step in graph.get(table, []):
            if other == end:
                return [*path, step]
            if other not in seen and len(path) + 1 < MOST_STEPS:
                seen.add(other)
                queue.append((other, [*path, step]))
    return None
