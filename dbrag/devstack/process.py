"""One child process: started, waited for until it is ready, stopped or killed with all its descendants."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from dbrag.devstack.watchdog import ABORT_S, Watchdog, family, kill, wait_until_gone
from dbrag.errors import Permanent

POLL_S = 0.05
SLOWEST_POLL_S = 0.4


class Interrupted(Permanent):
    """Somebody wants the stack to stop while it is still starting."""

    code = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What to run, how it says that it is ready, and how it wants to be stopped.

    `env` is added to this process's environment, unless `whole_env` says that it is all of it. `ready` is polled and
    must not raise. `url` is where clients reach it, "" for a process that nobody calls. What `serves` others ends after
    them. `end_orphans` ends what it leaves running when it is killed.
    """

    name: str
    argv: Sequence[str | Path]
    cwd: Path
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    whole_env: bool = False
    url: str = ""
    ready_timeout_s: float = 120
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10
    abort_signal: signal.Signals = signal.SIGKILL
    user: int | None = None
    group: int | None = None
    serves: bool = False
    end_orphans: Callable[[], None] = lambda: None


class Process:
    """A child that runs `spec`, its output in the file `log`. It leads a process group of its own.

    Not for more than one thread at a time.
    """

    def __init__(self, spec: Spec, log: Path, watchdog: Watchdog, stopping: threading.Event | None = None) -> None:
        self.spec = spec
        self.log = log
        self._watchdog = watchdog
        self._stopping = stopping or threading.Event()
        self._popen: subprocess.Popen[bytes] | None = None
        self._asked_at: float | None = None
        log.unlink(missing_ok=True)
        log.touch(mode=0o600)

    @property
    def pid(self) -> int:
        """Number of the running process. Raises Permanent if it is not running."""
        if self._popen is None:
            raise Permanent(f"{self.spec.name} is not running: start it first.")
        return self._popen.pid

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return self.spec.url

    @property
    def running(self) -> bool:
        """Whether it is started, and has not ended by itself since."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended (negative: the signal), None if it has not, or was never started."""
        return self._popen.poll() if self._popen else None

    def spawn(self) -> None:
        """Start it without waiting."""
        self.spec.end_orphans()
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(  # noqa: S603 - our own programs
                self.spec.argv,
                cwd=self.spec.cwd,
                env={**self.spec.env} if self.spec.whole_env else {**os.environ, **self.spec.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.spec.user,
                group=self.spec.group,
                extra_groups=None if self.spec.user is None else [],
            )
        self._watchdog.started(self._popen.pid, self.spec.abort_signal)
        self._asked_at = None

    def wait_until_ready(self) -> None:
        """Raises Permanent, naming the log file, if it ends or is not ready in time; Interrupted if the stack stops."""
        deadline, pause_s = time.monotonic() + self.spec.ready_timeout_s, POLL_S
        while not self.spec.ready():
            if self._stopping.is_set():
                raise Interrupted(f"stopped while {self.spec.name} was starting")
            if not self.running:
                raise Permanent(f"{self.farewell()} while starting. {self._last_words()}")
            if time.monotonic() > deadline:
                late = f"{self.spec.name} was not ready after {self.spec.ready_timeout_s:g} s"
                raise Permanent(f"{late}. {self._last_words()}")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, SLOWEST_POLL_S)  # each try leaves a line in some logs

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.spawn()
        self.wait_until_ready()

    def wait(self, timeout_s: float) -> int:
        """Wait for it to end by itself; its exit code. Raises Permanent after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.running:
            if self._stopping.is_set():
                raise Interrupted(f"stopped while {self.spec.name} was running")
            if time.monotonic() > deadline:
                raise Permanent(f"{self.spec.name} has not ended after {timeout_s:g} s. {self._last_words()}")
            time.sleep(POLL_S)
        code = self.exit_code
        self.reap()
        return code or 0

    def ask_to_stop(self) -> None:
        """Send the signal on which it ends in good order; once, a second one means hurry to some."""
        if self.running and self._asked_at is None:
            self._asked_at = time.monotonic()
            os.kill(self.pid, self.spec.stop_signal)

    def stop(self) -> None:
        """End it in good order; what has not ended `stop_timeout_s` after it was asked to is killed."""
        if self._popen is None:
            return
        relatives = family(self.pid)
        self.ask_to_stop()
        left_s = (self._asked_at or 0) + self.spec.stop_timeout_s - time.monotonic()
        try:
            self._popen.wait(max(left_s, 0))
        except subprocess.TimeoutExpired:
            relatives += family(self.pid)
        self.reap(relatives)

    def kill(self) -> None:
        """`kill -9` to it and all its descendants, as a machine that loses power would."""
        if self._popen is not None:
            self.reap(family(self.pid))

    def restart(self, **env: str) -> None:
        """Stop it if it still runs, and start it again, with `env` added to its environment from now on."""
        self.stop()
        self.spec = replace(self.spec, env={**self.spec.env, **env})
        self.start()

    def reap(self, relatives: list[psutil.Process] | None = None) -> None:
        """Kill what is left of it and forget it."""
        if self._popen is None:
            return
        kill(self._popen.pid, relatives or [])
        self._popen.wait()
        self.spec.end_orphans()
        wait_until_gone(relatives or [], ABORT_S)
        self._watchdog.ended(self._popen.pid)
        self._popen = None

    def farewell(self) -> str:
        """Half a sentence on how it ended."""
        if self._popen is None:
            return f"{self.spec.name} does not run"
        code = self.exit_code
        how = f"was killed by {signal.Signals(-code).name}" if code and code < 0 else f"ended with exit code {code}"
        return f"{self.spec.name} {how}"

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f"Read {self.log}" + (f"; it ends with: {lines[-1].strip()}" if lines else " (it is empty).")
