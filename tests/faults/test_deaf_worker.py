"""A worker that is connected and alive, and takes nothing from its queues."""

import socket
import time
from typing import Any

import psutil
from celery import Celery

from tests.running import PATIENCE_S, Platform


def test_a_deaf_worker_ends_itself_and_leaves_nothing_behind(platform: Platform) -> None:
    path = platform.collection("deaf")
    node = f"general@{socket.gethostname()}"
    children = psutil.Process(platform.worker.pid).children(recursive=True)
    app: Any = Celery(broker=platform.servers.env["CELERY_BROKER_URL"], set_as_current=False)
    # A connection of its own: those of the pool may have been to a broker that was killed since.
    with app, app.connection_for_write() as connection:
        for queue in ("critical", "default", "low"):
            ask = {"destination": [node], "reply": True, "timeout": 10, "connection": connection}
            [answer] = app.control.cancel_consumer(queue, **ask)
            assert "ok" in answer[node]
        job_id = platform.ingest(path, [{"external_id": "unheard", "text": "Nobody hears this."}])
        deadline = time.monotonic() + PATIENCE_S
        while platform.worker.running:
            assert time.monotonic() < deadline, "the worker is deaf and does not notice"
            time.sleep(0.1)
    assert platform.worker.exit_code == 1
    assert "this worker gets none" in platform.worker.log.read_text()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    platform.worker.restart()
    assert platform.wait(job_id)[0]["status"] == "succeeded"
