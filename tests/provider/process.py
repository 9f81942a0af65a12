"""The stand-in as a process of its own, for a test or a benchmark."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.provider.stats import Flight

ROOT = Path(__file__).parents[2]


class ProviderServer:
    """Starts the stand-in on a free port of loopback; it dies with this process.

    `url` is what OPENAI_BASE_URL takes.
    """

    def __init__(self, base_ms: float = 0.0, ms_per_1000_tokens: float = 0.0, chat_ms: float = 0.0) -> None:
        self._options = ["--base-ms", str(base_ms), "--ms-per-1000-tokens", str(ms_per_1000_tokens)]
        self._options += ["--chat-ms", str(chat_ms)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.provider", "--until-eof", *self._options],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("The provider's stand-in did not start: its reason is on stderr.")
        self._control = httpx.Client(base_url=self.url.removesuffix("/v1"), trust_env=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control.close()
        self._process.communicate()  # closes its stdin, which ends it
        self._process.wait()

    @property
    def pid(self) -> int:
        """Its process, whose cost is not dbrag's."""
        return self._process.pid

    def script(self, **orders: Any) -> None:
        """Tell it how to misbehave from now on (see `Script`), or, without orders, to behave."""
        self._control.post("/control", json=orders).raise_for_status()

    def stats(self) -> dict[str, Any]:
        """Its counts since the start or `forget` (see `Stats`)."""
        return self._control.get("/control/stats").raise_for_status().json()

    def senders(self) -> list[int]:
        """The ports, on their side, of those that wait for an answer."""
        return self.stats()["senders"]

    def flights(self) -> list[Flight]:
        """The requests since the start or `forget`, one by one."""
        flights = self._control.get("/control/flights").raise_for_status().json()["flights"]
        return [Flight(*flight) for flight in flights]

    def chats(self) -> list[dict[str, Any]]:
        """The chats since the start or `forget`, as they were asked."""
        return self._control.get("/control/chats").raise_for_status().json()["chats"]

    def forget(self) -> None:
        """Start the counts anew."""
        self._control.delete("/control/stats").raise_for_status()
