"""A tiny process that outlives its stack by a moment: when the stack dies, it kills what the stack had started.

The stack holds the only writing end of a pipe and tells on it what it starts and ends. The pipe's end means that the
stack has died, even of `kill -9`, and whatever was not reported as ended is killed with all its descendants.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

ABORT_S = 3.0
POLL_S = 0.02


class Watchdog:
    """A running watchdog; `files` are removed too if the stack dies. Close it last.

    It holds `inherited` open file descriptors, so that a lock among them lasts until the last process has gone.
    """

    def __init__(self, files: tuple[Path, ...] = (), inherited: tuple[int, ...] = ()) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this file
            [sys.executable, "-I", __file__, *files],
            stdin=subprocess.PIPE,
            pass_fds=inherited,
            start_new_session=True,  # neither Ctrl-C nor the end of the terminal may end it
            text=True,
        )

    def started(self, pid: int, abort: signal.Signals = signal.SIGKILL) -> None:
        """A process group leader to kill if the stack dies: with `abort`, and after ABORT_S seconds with SIGKILL."""
        self._tell(f"+ {pid} {abort.value}")

    def ended(self, pid: int) -> None:
        """The process has been waited for: its number may soon belong to another."""
        self._tell(f"- {pid} 0")

    def close(self) -> None:
        """End of the stack: the watchdog kills what is left, nothing after an orderly end."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell(self, line: str) -> None:
        assert self._process.stdin
        with suppress(BrokenPipeError):  # somebody killed the watchdog: the stack still works, only without this net
            print(line, file=self._process.stdin, flush=True)


def family(pid: int) -> list[psutil.Process]:
    """The process and all its descendants, the processes that left its group (PostgreSQL's backends) included."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def kill(pid: int, relatives: list[psutil.Process]) -> None:
    """SIGKILL to the group that `pid` leads, and to `relatives`."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for relative in relatives:
        with suppress(psutil.NoSuchProcess):
            relative.kill()


def wait_until_gone(processes: list[psutil.Process], timeout_s: float) -> None:
    """Wait for the processes' ends. A zombie has ended: some containers have nobody who clears them away."""
    deadline = time.monotonic() + timeout_s
    while any(map(_alive, processes)) and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _watch(lines: Iterable[str]) -> dict[int, int]:
    """Read to the end of the pipe: which process groups are left, and the signal that ends each."""
    left: dict[int, int] = {}
    for line in lines:
        sign, pid, abort = line.split()
        if sign == "+":
            left[int(pid)] = int(abort)
        else:
            left.pop(int(pid), None)
    return left


def _main() -> None:
    left = _watch(sys.stdin)
    families = {pid: family(pid) for pid in left}
    for pid, abort in left.items():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, abort)
    for pid, relatives in families.items():
        wait_until_gone(relatives, 0 if left[pid] == signal.SIGKILL else ABORT_S)
        kill(pid, relatives)
        wait_until_gone(relatives, ABORT_S)
    for file in sys.argv[1:] if left else ():
        Path(file).unlink(missing_ok=True)


if __name__ == "__main__":
    _main()
