"""Serves a registry's metrics over HTTP, for Prometheus."""

from collections.abc import Generator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from dbrag.errors import Permanent


@contextmanager
def served(address: tuple[str, int] | None, registry: CollectorRegistry, setting: str) -> Generator[None]:
    """Serves them meanwhile, where there is an `address`, which `setting` names.

    Raises: Permanent where the address cannot be taken.
    """
    if address is None:
        yield
        return
    host, port = address
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as exc:
        raise Permanent(f"{setting}={host}:{port} cannot be served: {exc}") from exc
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
