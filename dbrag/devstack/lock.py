"""One stack in a folder at a time."""

import fcntl
import os
import time
from pathlib import Path

import psutil

from dbrag.errors import Conflict

WAIT_S = 15.0
POLL_S = 0.1


class Lock:
    """Held while anything of a stack lives: by this process, and by the watchdog, which inherits `fd`."""

    def __init__(self, folder: Path) -> None:
        """Make the folder and lock it. Raises Conflict, with the holder's process id, if a stack runs there."""
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)  # 0711: PostgreSQL's user must get through to its data
        self.fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + WAIT_S
        while not self._acquire():
            holder = int(os.pread(self.fd, 20, 0) or 0)
            if psutil.pid_exists(holder) or time.monotonic() > deadline:
                os.close(self.fd)
                raise Conflict(f"A stack is already running in {folder} (process {holder}). Stop it first.")
            time.sleep(POLL_S)  # killed a moment ago: its watchdog is still cleaning up
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let the next stack in."""
        os.close(self.fd)

    def _acquire(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
