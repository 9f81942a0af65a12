"""What the stand-in was asked, and what it answered."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple


class Flight(NamedTuple):
    """A request that was worth an answer: when it came and when it was answered (Unix time), the texts' sha256."""

    began_at: float
    ended_at: float
    texts: list[str]


@dataclass
class Stats:
    """`answered` counts, by sha256 of the text in hex, the times its vector was sent: what OpenAI would have billed.

    `flights` also has the requests whose sender was gone when they were answered. `senders`: the ports, on their side,
    of those that wait for an answer. Chats are counted apart: `chats` are their requests as they were sent.
    """

    requests: int = 0
    inputs: list[int] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    dimensions_asked: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    in_flight: int = 0
    senders: list[int] = field(default_factory=list)
    max_in_flight: int = 0
    flights: list[Flight] = field(default_factory=list)
    chat_requests: int = 0
    chat_in_flight: int = 0
    max_chat_in_flight: int = 0
    chats: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def request(self, port: int) -> Iterator[None]:
        """Counts a request while it is in flight; it came from this port."""
        self.requests += 1
        self.in_flight += 1
        self.senders.append(port)
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1
            self.senders.remove(port)

    @contextmanager
    def chat(self, asked: dict[str, Any]) -> Iterator[None]:
        """Counts a chat while it is in flight."""
        self.chat_requests += 1
        self.chats.append(asked)
        self.chat_in_flight += 1
        self.max_chat_in_flight = max(self.max_chat_in_flight, self.chat_in_flight)
        try:
            yield
        finally:
            self.chat_in_flight -= 1

    def answer(self, texts: Sequence[bytes], tokens: int) -> None:
        """Counts a correct answer, as it is sent."""
        self.inputs.append(len(texts))
        self.prompt_tokens += tokens
        self.answered.update(sha256(text).hexdigest() for text in texts)

    def body(self) -> dict[str, Any]:
        """As JSON of GET /control/stats, without the flights and the chats' words."""
        return {name: value for name, value in vars(self).items() if name not in ("flights", "chats")}
