"""A stand-in for OpenAI that returns given vectors: number i for the text "vector i". `VectorServer` runs it."""

import argparse
import asyncio
import subprocess
import sys
from binascii import b2a_base64
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import orjson
from numpy.typing import NDArray
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from benchmarks.stack import ROOT
from benchmarks.vectors import Halves

PREFIX = "vector "
LATENCY_S = 0.15


def text_of(number: int) -> str:
    """The text whose vector is that number."""
    return f"{PREFIX}{number}"


class EmbeddingsHandler(RequestHandler):
    """POST /v1/embeddings, answered in base64 after 150 ms."""

    def initialize(self, vectors: Halves) -> None:
        self.vectors = vectors

    async def post(self) -> None:
        texts: list[str] = orjson.loads(self.request.body)["input"]
        await asyncio.sleep(LATENCY_S)
        rows = self.vectors[[int(text.removeprefix(PREFIX)) for text in texts]].astype("<f4")
        self.set_header("content-type", "application/json")
        self.finish(_answer(rows))


def _answer(rows: NDArray[np.float32]) -> bytes:
    data = b",".join(
        b'{"object":"embedding","index":%d,"embedding":"%b"}' % (i, b2a_base64(row.data, newline=False))
        for i, row in enumerate(rows)
    )
    usage = b'{"prompt_tokens":%d,"total_tokens":%d}' % (len(rows) * 4, len(rows) * 4)
    return b'{"object":"list","data":[%b],"model":"text-embedding-3-small","usage":%b}' % (data, usage)


class VectorServer:
    """Serves the vectors of an .npy file on a free port of loopback while it lasts; it dies with this process."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> Self:
        argv = [sys.executable, "-m", "benchmarks.vector_provider", str(self._file)]
        self._process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("The provider of vectors did not start: its reason is on stderr.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # closes its stdin, which ends it
        self._process.wait()


async def _serve(vectors: Halves) -> None:
    sockets = bind_sockets(0, "127.0.0.1")
    application = Application(
        [("/v1/embeddings", EmbeddingsHandler, {"vectors": vectors})], log_function=lambda _handler: None
    )
    HTTPServer(application).add_sockets(sockets)
    print(f"http://127.0.0.1:{sockets[0].getsockname()[1]}/v1", flush=True)
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, over.set)
    await over.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    asyncio.run(_serve(np.load(parser.parse_args().file, mmap_mode="r")))
