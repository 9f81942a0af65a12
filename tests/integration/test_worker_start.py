"""A worker whose limits contradict each other does not start."""

from dataclasses import replace
from pathlib import Path

import pytest

from dbrag.devstack.apps import Apps
from dbrag.devstack.servers import Servers

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--time-limit=99999", "the time limit (99999 s) must be shorter than the lease (60 s)"),
        ("--soft-time-limit=1", "must be shorter than the soft time limit (1 s)"),
    ],
)
def test_a_worker_with_limits_that_contradict_each_other_is_refused(
    quiet_servers: Servers, option: str, said: str
) -> None:
    spec = Apps(ROOT, quiet_servers.folder, quiet_servers.env).worker("refused", node="refused", concurrency=1)
    process = quiet_servers.spawn(replace(spec, argv=[*spec.argv, option]))
    try:
        assert process.wait(60) == 1
    finally:
        process.stop()
        del quiet_servers.processes["refused"]
    last_line = process.log.read_text().strip().splitlines()[-1]
    assert last_line.startswith("dbrag refuses to start this worker: ")
    assert said in last_line
