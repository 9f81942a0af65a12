"""Headless Chromium for tests, driven over its debugging pipe: https://chromedevtools.github.io/devtools-protocol/.

The pipe needs nothing but the browser: no driver beside it, no package, no port.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",  # containers often have little of it
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-sandbox",  # root, and many containers, cannot have one; all it opens are pages of our own
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
)
# Chromium reads commands from 3 and answers on 4.
WITH_PIPE = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
PATIENCE_S = 60


class Refused(Exception):
    """The browser answered a command with an error: a page that is going away has no context to run code in."""


class Page:
    """The one page of a running Chromium. What it complains about is in `complaints`."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._numbers = count(1)
        self._unread = b""
        self._session: dict[str, str] = {}
        self.complaints: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = {
            "sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"],
        }
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command and returns its answer. Raises: Refused."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters, **self._session}
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._read()
            if message.get("id") == number:
                if "error" in message:
                    raise Refused(f"{method}: {message['error']['message']}")
                return message["result"]
            self._note(message)

    def open(self, url: str) -> None:
        """Goes to an address and waits until the page is there."""
        self.run("window.isLeft = true")
        self.ask("Page.navigate", url=url)
        self.wait_for("!window.isLeft && document.readyState === 'complete'")

    def run(self, code: str) -> Any:
        """The value of a JavaScript expression. Raises: Refused."""
        answer = self.ask("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Refused(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def wait_for(self, code: str) -> None:
        """Until the expression is true, on whichever page is there then."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._holds(code):
            assert time.monotonic() < deadline, f"waited for {code} on this page:\n{self.text()}"
            time.sleep(0.05)

    def text(self) -> str:
        """What the page says."""
        return " ".join(self.run("document.body.innerText").split())

    def wait_for_text(self, text: str) -> None:
        self.wait_for(f"document.body?.innerText.includes({json.dumps(text)})")

    def type(self, selector: str, text: str) -> None:
        """Types into a field."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.ask("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def drop(self, selector: str, files: Sequence[Path]) -> None:
        """Drags files over an element and lets go of them."""
        element = f"document.querySelector({json.dumps(selector)})"
        x, y = self.run(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({element}.getBoundingClientRect())")
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.ask("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def picture(self, file: Path, width: int, height: int, scheme: str = "light") -> None:
        """Writes what the page looks like in a window of this size, light or dark, as a PNG."""
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        file.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))

    def _holds(self, code: str) -> bool:
        try:
            return bool(self.run(code))
        except Refused:
            return False

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            assert select.select([self._answers], [], [], PATIENCE_S)[0], "the browser does not answer"
            read = os.read(self._answers, 1 << 20)
            if not read:
                raise BrokenPipeError("the browser has ended")
            self._unread += read
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)

    def _note(self, message: dict[str, Any]) -> None:
        match message:
            case {"method": "Log.entryAdded", "params": {"entry": {"level": "error" | "warning", "text": text}}}:
                self.complaints.append(text)
            case {"method": "Runtime.exceptionThrown", "params": {"exceptionDetails": details}}:
                self.complaints.append(json.dumps(details))


def installed() -> str | None:
    """Where Chromium is; None where it is not."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium(command: str, profile: Path) -> Iterator[Page]:
    """A running browser with a new profile. Raises: BrokenPipeError where it ends at once."""
    theirs, ours = os.pipe(), os.pipe()
    # Copied upwards first, so that becoming 3 and 4 neither overwrites the other.
    read, write = (fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (theirs[0], ours[1]))
    flags = [*FLAGS, f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", WITH_PIPE, str(read), str(write), command, *flags, "about:blank"],
        pass_fds=(read, write),
        env={**os.environ, "HOME": str(profile)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for fd in (theirs[0], ours[1], read, write):
        os.close(fd)
    try:
        yield Page(theirs[1], ours[0])
    finally:
        os.close(theirs[1])  # the end of its commands ends it
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(ours[0])
