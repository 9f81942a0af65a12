"""Run the stand-in: `python -m tests.provider --port 0` prints its base URL once it listens."""

import argparse
import asyncio
import sys

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from tests.provider.server import State, application


async def serve(address: str, port: int, state: State, until_eof: bool) -> None:
    """Serve until killed or, with `until_eof`, until stdin closes: with its parent, however that dies."""
    sockets = bind_sockets(port, address)
    HTTPServer(application(state)).add_sockets(sockets)
    print(f"http://{address}:{sockets[0].getsockname()[1]}/v1", flush=True)
    over = asyncio.Event()
    if until_eof:
        asyncio.get_running_loop().add_reader(sys.stdin, over.set)
    await over.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--base-ms", type=float, default=0.0)
    parser.add_argument("--ms-per-1000-tokens", type=float, default=0.0)
    parser.add_argument("--chat-ms", type=float, default=0.0)
    parser.add_argument("--until-eof", action="store_true")
    arguments = parser.parse_args()
    state = State(arguments.base_ms, arguments.ms_per_1000_tokens, arguments.chat_ms)
    asyncio.run(serve(arguments.address, arguments.port, state, arguments.until_eof))
