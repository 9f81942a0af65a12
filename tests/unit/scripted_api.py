"""An HTTP server that answers as a test tells it, for what a well-behaved API does not do."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cli_examples import job

from dbrag.client import Client

JOB = job().model_dump(mode="json")
LATER = (429, {"Retry-After": "0"}, {"code": "queue_full", "detail": "Too many jobs wait."})
# A connection that is closed without an answer.
SILENCE = (0, {}, b"")
Answer = tuple[int, dict[str, str], Any]


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Script:
    """Answers (status, headers, body) in order, or as `answer` makes them, and what was asked."""

    answers: list[Answer] = field(default_factory=list[Answer])
    answer: Callable[[Seen], Answer] | None = None
    seen: list[Seen] = field(default_factory=list[Seen])
    notices: list[str] = field(default_factory=list[str])
    url: str = ""

    def client(self, patience_s: float = 5.0) -> Client:
        return Client(self.url, "key", notice=self.notices.append, patience_s=patience_s)

    def next(self, seen: Seen) -> Answer:
        self.seen.append(seen)
        return self.answer(seen) if self.answer else self.answers.pop(0)


@contextmanager
def scripted_api() -> Iterator[Script]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, content = script.next(Seen(self.command, self.path, dict(self.headers), body))
            self.close_connection = True
            if status == 0:
                return
            payload = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(payload))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 (http.server looks for these names)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        script.url = f"http://127.0.0.1:{server.server_port}"
        yield script
        server.shutdown()
