"""The stand-in's HTTP side: /v1/embeddings, /v1/chat/completions, and /control for the tests."""

import asyncio
import json
import socket
import struct
import time
from dataclasses import dataclass, field
from hashlib import sha256

import orjson
from tornado.iostream import IOStream
from tornado.web import Application, RequestHandler

from dbrag.documents.tokens import count_tokens
from tests.provider.answer import answer
from tests.provider.chat import chat_answer
from tests.provider.refusal import NATIVE_DIMENSIONS, Refusal, check
from tests.provider.script import Script, Step
from tests.provider.stats import Flight, Stats


@dataclass
class State:
    """What the handlers share: the latency of an answer, the orders and the counts."""

    base_ms: float = 0.0
    ms_per_1000_tokens: float = 0.0
    chat_ms: float = 0.0
    script: Script = field(default_factory=Script)
    stats: Stats = field(default_factory=Stats)

    def latency_s(self, tokens: int) -> float:
        """How long a real provider would take, in seconds."""
        return (self.base_ms + self.ms_per_1000_tokens * tokens / 1000) / 1000

    def chat_latency_s(self) -> float:
        """The same for a chat."""
        return (self.chat_ms if self.script.chat_ms is None else self.script.chat_ms) / 1000


def application(state: State) -> Application:
    """The server's routes."""
    shared = {"state": state}
    return Application(
        [
            ("/v1/embeddings", EmbeddingsHandler, shared),
            ("/v1/chat/completions", ChatHandler, shared),
            ("/control", ControlHandler, shared),
            ("/control/stats", StatsHandler, shared),
            ("/control/flights", FlightsHandler, shared),
            ("/control/chats", ChatsHandler, shared),
        ],
        log_function=lambda _handler: None,  # its refusals are wanted, and not the test's output
    )


class ProviderHandler(RequestHandler):
    """What answers, and misbehaves, as the provider does."""

    def initialize(self, state: State) -> None:
        self.state = state
        self.abandoned = False

    def on_connection_close(self) -> None:
        self.abandoned = True

    def _refuse(self, step: Step) -> None:
        for name, value in step.headers.items():
            self.set_header(name, value)
        if step.retry_after is not None:
            self.set_header("retry-after", str(step.retry_after))
        if self.state.script.revoked:
            raise Refusal(401, "Incorrect API key provided: sk-half***key.", "invalid_api_key")
        if step.status != 200:
            raise Refusal(step.status, step.message, step.code, step.code or "scripted", step.param)

    def _send(self, body: bytes, broken: str | None) -> None:
        if broken in ("reset", "half_body"):
            _hang_up(self.detach(), body, reset=broken == "reset")
            return
        self.set_header("content-type", "application/json")
        self.finish(b"<html>Bad gateway</html>" if broken == "not_json" else body)


class EmbeddingsHandler(ProviderHandler):
    """POST /v1/embeddings"""

    async def post(self) -> None:
        with self.state.stats.request(self.request.connection.context.address[1]):
            try:
                await self._post(self.state.script.step())
            except Refusal as refusal:
                self.set_status(refusal.status)
                self.finish(orjson.dumps(refusal.body()))
            self.state.stats.statuses[str(self.get_status())] += 1

    async def _post(self, step: Step) -> None:
        began_at = time.time()
        asked = orjson.loads(self.request.body)
        texts: list[str] = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        encoded = [text.encode() for text in texts]
        tokens = [-(-len(text) // 4) for text in encoded]
        self.state.stats.dimensions_asked[str(asked.get("dimensions"))] += 1
        await asyncio.sleep(step.delay_s + self.state.latency_s(sum(tokens)))
        self._refuse(step)
        dimensions = asked.get("dimensions", NATIVE_DIMENSIONS.get(asked["model"], 1))
        check(asked["model"], dimensions, encoded, tokens, self.state.script)
        floats = step.floats or asked.get("encoding_format") != "base64"
        billed = sum(map(count_tokens, texts) if self.state.script.bills_tokens else tokens)
        body = answer(texts, dimensions, billed, asked["model"], floats, step.broken)
        usable = step.broken in (None, "shuffled")
        if usable:
            self.state.stats.flights.append(
                Flight(began_at, time.time(), [sha256(text).hexdigest() for text in encoded])
            )
        if self.abandoned:  # OpenAI may bill it, but nobody reads it
            return
        if usable:
            self.state.stats.answer(encoded, billed)
        self._send(body, step.broken)


class ChatHandler(ProviderHandler):
    """POST /v1/chat/completions"""

    async def post(self) -> None:
        asked = orjson.loads(self.request.body)
        step = self.state.script.chat_step()
        with self.state.stats.chat(asked):
            try:
                await asyncio.sleep(step.delay_s + self.state.chat_latency_s())
                self._refuse(step)
            except Refusal as refusal:
                self.set_status(refusal.status)
                self.finish(orjson.dumps(refusal.body()))
                return
        if not self.abandoned:
            self._send(chat_answer(asked, step.broken), step.broken)


def _hang_up(stream: IOStream, body: bytes, reset: bool) -> None:
    """Break the connection off, with a TCP reset or in the middle of the body."""
    if reset and stream.socket:
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.close()
        return
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    stream.write(head + body[: len(body) // 2]).add_done_callback(lambda _: stream.close())


class ControlHandler(RequestHandler):
    """POST /control replaces the orders (see Script); {} makes it behave again."""

    def initialize(self, state: State) -> None:
        self.state = state

    def post(self) -> None:
        self.state.script = Script.parse(json.loads(self.request.body))


class StatsHandler(RequestHandler):
    """GET /control/stats the counts; DELETE starts them anew."""

    def initialize(self, state: State) -> None:
        self.state = state

    def get(self) -> None:
        self.finish(orjson.dumps(self.state.stats.body()))

    def delete(self) -> None:
        # The same object goes on, because requests in flight hold it.
        stats = self.state.stats
        stats.__init__(in_flight=stats.in_flight, senders=stats.senders, chat_in_flight=stats.chat_in_flight)


class FlightsHandler(RequestHandler):
    """GET /control/flights the requests one by one, as lists (see Flight)."""

    def initialize(self, state: State) -> None:
        self.state = state

    def get(self) -> None:
        self.finish(orjson.dumps({"flights": [list(flight) for flight in self.state.stats.flights]}))


class ChatsHandler(RequestHandler):
    """GET /control/chats the chats as they were asked, in this order."""

    def initialize(self, state: State) -> None:
        self.state = state

    def get(self) -> None:
        self.finish(orjson.dumps({"chats": self.state.stats.chats}))
