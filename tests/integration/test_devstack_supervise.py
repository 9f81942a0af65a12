"""Processes that end by themselves are started again, less and less often."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbrag.devstack.lock import Lock
from dbrag.devstack.ports import Ports
from dbrag.devstack.process import Spec
from dbrag.devstack.servers import Servers
from dbrag.devstack.supervise import LONGEST_PAUSE_S, Supervisor, pause_s
from tests.integration.devstack_waiting import is_alive, wait_until


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with Servers(tmp_path) as servers:
        yield servers


def test_a_killed_process_is_started_again_and_the_change_is_told(
    servers: Servers, capsys: pytest.CaptureFixture[str]
) -> None:
    process = servers.spawn(shell("sleeper", "sleep 1000", servers.folder))
    told: list[bool] = []
    supervisor = Supervisor([process], lambda: told.append(process.running))
    first = process.pid
    os.kill(first, signal.SIGKILL)

    def is_back() -> bool:
        supervisor.tend()
        return process.running and process.pid != first

    wait_until(is_back)
    assert told == [False, True]
    assert "sleeper was killed by SIGKILL. Starting it again in 0.5 s; see " in capsys.readouterr().err


def test_what_a_killed_process_leaves_running_is_ended_before_it_is_started_again(servers: Servers) -> None:
    process = servers.spawn(shell("parent", "sleep 1000 & echo $! > child; wait", servers.folder))
    child = servers.folder / "child"
    wait_until(lambda: child.exists() and child.read_text().strip())
    pid = int(child.read_text())
    supervisor = Supervisor([process], lambda: None)
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not process.running)
    supervisor.tend()
    wait_until(lambda: not is_alive(pid))


def test_pauses_double_up_to_a_limit() -> None:
    assert [pause_s(failures) for failures in range(4)] == [0.5, 1, 2, 4]
    assert pause_s(10_000) == LONGEST_PAUSE_S


def test_two_stacks_are_never_given_the_same_port_even_before_they_listen() -> None:
    first, second = Ports(), Ports()
    taken = [ports.take() for _ in range(300) for ports in (first, second)]
    assert len(set(taken)) == len(taken)
    first.close()
    second.close()


def test_a_lock_that_was_released_can_be_taken_again(tmp_path: Path) -> None:
    Lock(tmp_path).release()
    Lock(tmp_path).release()


def shell(name: str, script: str, cwd: Path) -> Spec:
    return Spec(name=name, argv=["/bin/sh", "-c", script], cwd=cwd, ready=lambda: True, stop_timeout_s=0.5)
