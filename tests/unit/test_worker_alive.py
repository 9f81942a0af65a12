"""A worker's sign of life, and the probe that looks at it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from celery import signals

from workers import heartbeat
from workers.alive import FRESH_S, why_not


def test_a_fresh_file_is_a_sign_of_life(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat"
    path.touch()
    touched_at = path.stat().st_mtime
    assert why_not(path, touched_at + FRESH_S) is None
    assert "stuck" in (why_not(path, touched_at + FRESH_S + 1) or "")


def test_no_file_is_no_sign_of_life(tmp_path: Path) -> None:
    assert "does not exist" in (why_not(tmp_path / "heartbeat", 0.0) or "")


@pytest.mark.parametrize(("name", "exit_code"), [("there", 0), ("elsewhere", 1)])
def test_the_probe_answers_with_its_exit_code(tmp_path: Path, name: str, exit_code: int) -> None:
    (tmp_path / "there").touch()
    env = os.environ | {"DBRAG_HEARTBEAT_FILE": str(tmp_path / name)}
    ended = subprocess.run(
        [sys.executable, "-m", "workers.alive"], env=env, capture_output=True, text=True, check=False
    )
    assert ended.returncode == exit_code, ended.stderr


@pytest.mark.parametrize(
    ("begin", "signal"),
    [
        (heartbeat.touch_with_heartbeats, signals.heartbeat_sent),
        (heartbeat.touch_with_messages, signals.after_task_publish),
    ],
)
def test_a_process_touches_the_file_at_its_start_and_with_each_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begin: object, signal: object
) -> None:
    path = tmp_path / "heartbeat"
    monkeypatch.setenv("DATABASE_URL", "postgresql://x")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://x")
    monkeypatch.setenv("DBRAG_HEARTBEAT_FILE", str(path))
    receivers = list(signal.receivers)  # type: ignore[attr-defined]
    try:
        begin()  # type: ignore[operator]
        assert path.exists()
        os.utime(path, (0, 0))
        signal.send(sender=None)  # type: ignore[attr-defined]
        assert path.stat().st_mtime > 0
    finally:
        signal.receivers[:] = receivers  # type: ignore[attr-defined]
