"""A deaf worker whose main loop hangs, so that it cannot end in good order."""

import subprocess
import sys
from pathlib import Path

import psutil

from dbrag.devstack.servers import Servers
from dbrag.jobs.broker import Broker
from dbrag.jobs.model import Queue
from dbrag.settings import Settings

ROOT = Path(__file__).parents[2]
HANGS = """
import time
from billiard import Process
from dbrag.settings import Settings
from workers.deaf import Listener

child = Process(target=time.sleep, args=(600,))
child.start()
print(child.pid, flush=True)
Listener(["low"], Settings(), grace_s=0.5)
time.sleep(600)
"""


def test_a_deaf_worker_that_hangs_is_ended_by_force_with_its_children(
    quiet_servers: Servers, settings: Settings
) -> None:
    broker = Broker(settings)
    broker.send_canary(Queue.LOW)
    broker.close()
    env = quiet_servers.env | {"DBRAG_LEASE_S": "5"}
    with subprocess.Popen([sys.executable, "-c", HANGS], cwd=ROOT, env=env, stdout=subprocess.PIPE) as worker:
        try:
            assert worker.stdout
            child = psutil.Process(int(worker.stdout.readline()))
            assert worker.wait(30) == 1
        finally:
            worker.kill()
    _, alive = psutil.wait_procs([child], timeout=10)
    assert alive == []
