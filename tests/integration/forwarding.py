"""A proxy before the API that can swallow the answer to a batch, or the batch itself."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

PASSED_ON = ("Authorization", "Content-Type", "Idempotency-Key", "Prefer", "Accept")


@dataclass
class Proxy:
    """`keys`: the Idempotency-Keys of all batches that came by.

    The batch number `hold` (from 1) is never answered; it reaches the API all the same with `hold_answer_only`. `held`
    is set once that has happened.
    """

    api: str
    url: str = ""
    keys: list[str] = field(default_factory=list[str])
    hold: int = 0
    hold_answer_only: bool = False
    held: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def proxy(api: str) -> Iterator[Proxy]:
    state = Proxy(api)

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
            self.close_connection = True
            is_batch = "/documents:batch" in self.path
            if is_batch:
                state.keys.append(self.headers["Idempotency-Key"])
            is_held = is_batch and len(state.keys) == state.hold
            if not is_held or state.hold_answer_only:
                answer = httpx.request(
                    self.command, state.api + self.path, headers=headers, content=body, timeout=60, trust_env=False
                )
            if is_held:
                state.held.set()
                state.over.wait()
                return
            self.send_response(answer.status_code)
            for name in ("Content-Type", "Retry-After"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = do_DELETE = forward  # noqa: N815 (http.server looks for these names)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
        state.over.set()
        server.shutdown()
