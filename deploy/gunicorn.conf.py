"""How gunicorn serves the API; the address comes on its command line (--bind)."""

import os
import shutil
import tempfile
from pathlib import Path

# A request waits for PostgreSQL most of its time, so threads; two processes, because parsing a batch holds the GIL.
# Streams of events occupy none of them: the worker lets go of their connections (api/handover.py).
# gthread, but for slow clients.
worker_class = "api.server.Worker"
workers = 2
threads = 8
# An external_id of 512 characters takes up to 6 KiB of the address.
limit_request_line = 8190
# Nobody here steers gunicorn at run time; the socket would lie in a home directory, one for all checkouts.
control_socket_disable = True
# Each worker opens its own connections after the fork.
preload_app = False

# Longer than the 60 s of the load balancers in front (nginx keeps 60 s), so that they close first and not in a request.
keepalive = 75
# A worker without a sign of life for so long is replaced; gthread's threads do not count, only its main loop.
timeout = 60
# Longer than the longest answer, `Prefer: wait=30`.
graceful_timeout = 35
# The sign of life is a file: on a disk that stalls, healthy workers would be killed.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # only private files are made there
worker_tmp_dir = MEMORY
# Whose X-Forwarded-* is believed; a proxy elsewhere is named with FORWARDED_ALLOW_IPS.
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")


def on_starting(server):
    """Gives the workers a folder where prometheus_client sums their counts; set before any of them imports it.

    In memory, where nobody tidies up: a count whose file has gone would fail its request.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="dbrag-metrics-", dir=MEMORY)


def child_exit(server, worker):
    """Takes a dead worker out of the sums of what is alive."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def worker_exit(server, worker):
    """Closes the connections that the worker opened."""
    application = getattr(worker, "wsgi", None)
    if application is not None:
        application.extensions["dbrag"].close()


def on_exit(server):
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
