"""A client's socket that waits for a limited time: who sends a byte a second may not keep a thread for ever."""

from collections.abc import Callable
from errno import EPIPE
from socket import socket
from time import monotonic
from typing import TYPE_CHECKING

from gunicorn.http.errors import NoMoreData

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# What a client has to send or take a second once its time is over; 64 KiB/s are a bad mobile line.
BYTES_PER_S = 64 * 1024
# What has arrived already is read, however late the reader comes to it.
AT_LEAST_S = 0.001
# Whoever takes nothing of an answer for so long has gone.
ANSWER_S = 60


class Late(NoMoreData, TimeoutError):
    """The client's time is over; to gunicorn, which meets it where it reads a request's head, it has hung up."""


class Impatient(socket):
    """A socket whose `recv` raises Late once the client has had its time; before `begin`, it has any."""

    _until: float | None = None
    hang_up: Callable[[], None] = staticmethod(lambda: None)
    """Has the server close the connection behind the answer, and say so in it."""

    def begin(self, seconds: float | None) -> None:
        """From now on the client has `seconds`, and more for all that it sends; None: for ever."""
        self._until = None if seconds is None else monotonic() + seconds

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if self._until is None:
            return super().recv(size, flags)
        usual_s, left_s = self.gettimeout(), max(self._until - monotonic(), AT_LEAST_S)
        self.settimeout(left_s if usual_s is None else min(usual_s, left_s))
        try:
            data = super().recv(size, flags)
        except TimeoutError as exc:
            raise Late from exc
        finally:
            self.settimeout(usual_s)
        self._until += len(data) / BYTES_PER_S
        return data

    def sendall(self, data: "ReadableBuffer", flags: int = 0, /) -> None:
        usual_s = self.gettimeout()
        self.settimeout(ANSWER_S + memoryview(data).nbytes / BYTES_PER_S)
        try:
            super().sendall(data, flags)
        except TimeoutError as exc:
            raise BrokenPipeError(EPIPE, "the client takes no more of its answer") from exc
        finally:
            self.settimeout(usual_s)
