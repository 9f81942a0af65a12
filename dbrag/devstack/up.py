"""`dbrag up`: the stack in the foreground; `running_stack`: the same around a block of code."""

import os
import signal
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dbrag.devstack.stack import Stack

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NOHUP = (signal.SIGHUP, signal.SIG_IGN)


def up(root: Path) -> int:
    """Run the stack of the checkout `root` until Ctrl-C or SIGTERM; the exit code. Raises as `Stack` does."""
    console = Console(soft_wrap=True)
    console.print("Starting PostgreSQL, Redis, the embedding model, API, workers, relay, beat and Flower …")
    try:
        with running_stack(root) as addresses:
            _show(console, root, addresses)
            threading.Event().wait()
    except KeyboardInterrupt:
        console.print("Stopped.")
    return 0


@contextmanager
def running_stack(root: Path) -> Generator[Mapping[str, Any]]:
    """Yields what stands in .dbrag/stack.json, once all is ready; ends everything afterwards, whatever happens.

    A SIGINT, SIGTERM or SIGHUP interrupts the block with KeyboardInterrupt. Only for the main thread.
    """
    ending = _Ending()
    wanted = [number for number in SIGNALS if (number, signal.getsignal(number)) != NOHUP]
    before = {number: signal.signal(number, ending.handle) for number in wanted}
    threading.Thread(target=ending.follow_make, daemon=True, name="follow-make").start()
    try:
        with Stack(root, os.environ, ending.stopping) as stack:
            addresses = stack.start()
            supervising = threading.Thread(target=stack.supervise, name="supervise")
            supervising.start()
            try:
                with ending.interrupting():
                    yield addresses
            finally:
                ending.stopping.set()
                supervising.join()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Ending:
    """What signals do: stop the start in good order, interrupt the block, never interrupt the end."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._interrupts = False

    def handle(self, *_: object) -> None:
        self.stopping.set()
        if self._interrupts:
            self._interrupts = False
            raise KeyboardInterrupt

    @contextmanager
    def interrupting(self) -> Generator[None]:
        self._interrupts = True
        if self.stopping.is_set():
            raise KeyboardInterrupt
        try:
            yield
        finally:
            self._interrupts = False

    def follow_make(self) -> None:
        """End when `make` was killed: it hands on SIGTERM, but cannot hand on SIGKILL."""
        parent = os.getppid()
        while "MAKELEVEL" in os.environ and not self.stopping.wait(1):
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)


def _show(console: Console, root: Path, addresses: Mapping[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    rows = {
        "API": addresses["api"],
        "API's documentation": f"{addresses['api']}/docs",
        "Console": f"{addresses['api']}/console",
        "Flower": addresses["flower"],
        "Embeddings": addresses["embeddings"],
        "Addresses, API key": root / ".dbrag" / "stack.json",
        "Logs": root / ".dbrag" / "logs",
    }
    for what, where in rows.items():
        table.add_row(f"{what}  ", str(where))
    console.print(table)
    console.print("Running. In this folder `dbrag` finds the stack by itself: try `dbrag doctor`. Ctrl-C stops it.")
