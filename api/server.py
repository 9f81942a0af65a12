"""The gunicorn worker that serves the API: gthread, whose threads no slow client keeps."""

from typing import TYPE_CHECKING, cast

from gunicorn.http.message import Request
from gunicorn.workers.gthread import TConn, ThreadWorker

from api.impatient import Impatient

if TYPE_CHECKING:
    from api.app import Api


class Worker(ThreadWorker):
    """Named in deploy/gunicorn.conf.py.

    Here the time for a request's line and headers begins, of which gunicorn limits only the wait for the first byte;
    the time for a body begins when a view reads it (api/request.py). With TLS there is no limit: a proxy has that.
    """

    def enqueue_req(self, conn: TConn) -> None:
        if not (conn.initialized or isinstance(conn.sock, Impatient)):
            client = conn.sock
            conn.sock = Impatient(client.family, client.type, client.proto, client.detach())
        super().enqueue_req(conn)

    def handle(self, conn: TConn) -> bool:
        if isinstance(conn.sock, Impatient):
            conn.sock.begin(cast("Api", self.wsgi).extensions["dbrag"].settings.receive_timeout_s)
        return super().handle(conn)

    def handle_request(self, req: Request, conn: TConn) -> bool:
        if isinstance(conn.sock, Impatient):
            conn.sock.begin(None)
            conn.sock.hang_up = req.force_close
        return super().handle_request(req, conn)
