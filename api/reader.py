"""One reader of a stream: its connection, which is never waited for, and what of its frames is not sent yet."""

import socket
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from uuid import UUID

from api.frames import Seen
from dbrag.jobs.events import Watch

# What a reader sends is of no interest.
RECEIVED = 4096


class Gone(Exception):
    """The reader has closed its connection, or it has broken."""


@dataclass(eq=False, slots=True)
class Reader:
    """`moved_at`: when a byte was last sent, or the first of those that are not. `over`: these are the last."""

    connection: socket.socket
    tenant_id: UUID
    job_id: UUID
    seen: Seen
    unsent: bytes
    over: bool = False
    began_at: float = field(default_factory=monotonic)
    moved_at: float = field(default_factory=monotonic)

    @property
    def watch(self) -> Watch:
        return Watch(self.tenant_id, self.job_id, self.seen.event_id)

    def push(self, data: bytes) -> None:
        """Sends what the connection takes now. Raises: Gone."""
        if data and not self.unsent:
            self.moved_at = monotonic()
        self.unsent += data
        try:
            while self.unsent:
                sent = self.connection.send(self.unsent)
                self.unsent, self.moved_at = self.unsent[sent:], monotonic()
        except BlockingIOError:
            return
        except OSError as exc:
            raise Gone from exc

    def listen(self) -> None:
        """Notices that the reader has gone. Raises: Gone."""
        try:
            if not self.connection.recv(RECEIVED):
                raise Gone
        except BlockingIOError:
            return
        except OSError as exc:
            raise Gone from exc

    def close(self) -> None:
        """For whoever else has a descriptor of the connection, too."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()
