"""A TCP proxy on loopback that cuts, slows and deafens what runs through it."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

HOST = "127.0.0.1"
PIECE = 64 * 1024


class Proxy:
    """Between a client and the server that `url` names; `near_url` is what the client takes instead.

    Runs in a thread of its own; its methods may be called from any other.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self._server = (parts.hostname, parts.port)
        self._socket = socket.create_server((HOST, 0))
        account = parts.netloc.rpartition("@")[0]
        port = self._socket.getsockname()[1]
        self.near_url = urlunsplit(parts._replace(netloc=f"{account}@{HOST}:{port}"))
        self._open: set[_Connection] = set()
        self._refusing, self._delay_s = False, 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def cut(self) -> None:
        """Resets all connections, and each new one, until `mend`."""
        self._do(self._cut)

    def mend(self) -> None:
        """Lets all through again, at once."""
        self._refusing, self._delay_s = False, 0.0

    def slow(self, delay_s: float) -> None:
        """Holds every piece up for so long, in both directions, until `mend`."""
        self._delay_s = delay_s

    def deafen(self) -> None:
        """The connections of now never carry a byte again, and nobody is told: half-open. New ones work."""
        self._do(self._deafen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._cut)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._socket.close()
        self._loop.close()

    def _do(self, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(what(), self._loop).result()

    async def _cut(self) -> None:
        self._refusing = True
        for connection in list(self._open):
            connection.reset()

    async def _deafen(self) -> None:
        for connection in self._open:
            connection.deaf = True

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._socket))
        self._loop.run_forever()
        server.close()
        if left := asyncio.all_tasks(self._loop):  # their connections were reset, so they end
            self._loop.run_until_complete(asyncio.wait(left, timeout=5))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._server)
        except OSError:
            await _Connection(writer).close()
            return
        connection = _Connection(writer, far_writer)
        if self._refusing:
            await connection.close()
            return
        self._open.add(connection)
        there = self._pump(connection, reader, far_writer)
        back = self._pump(connection, far_reader, writer)
        await asyncio.gather(there, back)
        self._open.discard(connection)
        await connection.close()

    async def _pump(
        self, connection: "_Connection", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                if not connection.deaf:
                    writer.write(piece)
                    await writer.drain()
        if not connection.deaf:
            connection.reset()


class _Connection:
    """The two ends of a connection."""

    def __init__(self, *ends: asyncio.StreamWriter) -> None:
        self._ends = ends
        self.deaf = False

    async def close(self) -> None:
        self.reset()
        for end in self._ends:
            with suppress(OSError):
                await end.wait_closed()

    def reset(self) -> None:
        for end in self._ends:
            end.transport.abort()
