"""How tables are joined: the shortest paths of foreign keys between those that were found."""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

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
    """How a table refers to itself, and the shortest path between each two of them that has MOST_STEPS at most.

    Left out is one that leads over another of these tables, since its parts are there. Of several that are equally
    short the first by name is taken.
    """
    graph = _graph(references)
    tables = list(dict.fromkeys(wanted))
    found = [[step] for table in tables for other, step in graph.get(table, []) if other == table]
    for place, start in enumerate(tables):
        reached = _reached(graph, start, set(tables))
        found += [reached[end] for end in tables[place + 1 :] if end in reached]
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


def _reached(graph: dict[Name, list[tuple[Name, Step]]], start: Name, wanted: set[Name]) -> dict[Name, list[Step]]:
    """The shortest paths from one table to those wanted; once for all of them, as a hub has thousands of neighbours."""
    path_to: dict[Name, list[Step]] = {start: []}
    queue = deque([start])
    while queue:
        table = queue.popleft()
        for other, step in graph.get(table, []):
            if other in path_to:
                continue
            path_to[other] = [*path_to[table], step]
            if other not in wanted and len(path_to[other]) < MOST_STEPS:
                queue.append(other)
    return {table: path for table, path in path_to.items() if table in wanted}
