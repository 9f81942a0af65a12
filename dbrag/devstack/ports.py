"""Free TCP ports on loopback, each kept for one stack."""

import random
import socket
from contextlib import suppress

from dbrag.errors import Permanent

HOST = "127.0.0.1"
# Below the ephemeral ports (32768 and up on Linux): there a client that connects again and again to a server that is
# down may be given the server's own port, connect to itself, and keep the server from coming back.
PORTS = range(15_000, 32_000)


class Ports:
    """Hands out ports that no other stack is given while this one lives, even when the server is down for a moment.

    A bound UDP socket of the same number is the reservation; it ends with the process that made it.
    """

    def __init__(self) -> None:
        self._reserved: list[socket.socket] = []

    def take(self) -> int:
        """A port that nobody listens on. Raises Permanent if all are taken."""
        for port in random.sample(PORTS, 200):  # random: stacks that start together shall not queue for the same one
            with suppress(OSError), socket.socket() as tcp:
                tcp.bind((HOST, port))
                udp = socket.socket(type=socket.SOCK_DGRAM)
                self._reserved.append(udp)
                udp.bind((HOST, port))
                return port
        raise Permanent(f"No free port on {HOST} between {PORTS.start} and {PORTS.stop}: stop what listens there.")

    def close(self) -> None:
        """Give all ports back."""
        while self._reserved:
            self._reserved.pop().close()
