"""The register of strikes: a function that strikes a fleet under load, its docstring what is promised then."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.harness.fleet import Fleet

FAULTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Strike:
    """One way to strike; `struck` is what, for the table in docs/reliability.md.

    `forgets`: the cache loses what it had, so that a text may have to be paid again where it was not written yet.
    `ends`: what a process logs that may end by itself because of it; "" where none may.
    """

    name: str
    struck: str
    promise: str
    blow: Callable[["Fleet"], None]
    forgets: bool = False
    ends: str = ""

    def __call__(self, fleet: "Fleet") -> None:
        self.blow(fleet)

    def __str__(self) -> str:
        return self.name


STRIKES: dict[str, Strike] = {}


def strike(struck: str, *, forgets: bool = False, ends: str = "") -> Callable[[Callable[["Fleet"], None]], Strike]:
    """Registers a function as a strike; its name, as words, is that of the fault."""

    def register(blow: Callable[["Fleet"], None]) -> Strike:
        assert blow.__doc__, f"{blow.__name__} does not say what it promises"
        name = blow.__name__.replace("_", " ")
        STRIKES[name] = Strike(name, struck, " ".join(blow.__doc__.split()), blow, forgets, ends)
        return STRIKES[name]

    return register


def all_strikes() -> list[Strike]:
    """Those of all files beside this package, in the files' order."""
    for file in sorted(FAULTS.glob("test_*.py")):
        if "@strike(" in file.read_text():
            import_module(f"tests.faults.{file.stem}")
    return list(STRIKES.values())
