"""Taking a connection over from gunicorn, so that an answer that lasts for an hour occupies no thread."""

import os
import socket
import ssl
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from flask import Response
from werkzeug.http import http_date
from werkzeug.wsgi import ClosingIterator

# Bytes that the kernel keeps for a reader that does not read.
SEND_BUFFER = 64 << 10
# A peer that acknowledges nothing for so long has vanished, in milliseconds.
VANISHED_MS = 30_000


def possible(environ: dict[str, Any]) -> bool:
    """Whether the server shows its socket, and what is written to it goes out as it is: neither TLS nor HTTP/2."""
    sock = environ.get("gunicorn.socket")
    return (
        isinstance(sock, socket.socket)
        and not isinstance(sock, ssl.SSLSocket)
        and environ.get("SERVER_PROTOCOL") in ("HTTP/1.0", "HTTP/1.1")
        and environ["REQUEST_METHOD"] == "GET"
    )


class HandedOver(Response):
    """An answer whose connection goes to `take`, with its head as the bytes to be sent first; its end is the answer's.

    Nothing is written here, so that a client that does not read holds nobody up.
    """

    def __init__(self, take: Callable[[socket.socket, bytes], None], **headers_and_type: Any) -> None:
        super().__init__(iter(()), **headers_and_type)
        self._take = take

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        head = self._head(environ)
        connection, other_end = taken_over(environ["gunicorn.socket"])
        self._take(connection, head)
        return ClosingIterator(super().__call__(environ, start_response), other_end.close)

    def _head(self, environ: dict[str, Any]) -> bytes:
        headers = [*self.get_wsgi_headers(environ), ("Date", http_date()), ("Connection", "close")]
        lines = [f"HTTP/1.1 {self.status_code} {HTTPStatus(self.status_code).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def taken_over(server_side: socket.socket) -> tuple[socket.socket, socket.socket]:
    """The connection, which the server has no more, and the other end of what it has instead.

    gunicorn shuts a connection down after its answer, for all who have a descriptor of it: a copy would not survive.
    So its descriptor is made one of a pair of sockets, where it writes its answer and which it closes; the other end is
    kept until the answer is written.
    """
    connection = socket.socket(fileno=os.dup(server_side.fileno()))
    ours, instead = socket.socketpair()
    os.dup2(instead.fileno(), server_side.fileno(), inheritable=False)
    instead.close()
    connection.setblocking(False)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if connection.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, VANISHED_MS)
    return connection, ours
