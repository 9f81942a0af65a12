"""The embedded servers: what they promise, and that nothing survives them."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis

from dbrag.devstack.process import Process, Spec
from dbrag.devstack.servers import Servers
from dbrag.errors import Conflict, Permanent
from tests.integration.devstack_waiting import is_alive, wait_until


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with Servers.start(tmp_path_factory.mktemp("a folder with spaces")) as servers:
        yield servers


def test_postgresql_has_pgvector(servers: Servers) -> None:
    with psycopg.connect(servers.env["DATABASE_URL"], autocommit=True) as conn:
        conn.execute("CREATE EXTENSION IF NOT EXISTS vector")
        row = conn.execute("SELECT '[1,0]'::halfvec <=> '[0,1]'::halfvec").fetchone()
    assert row == (1.0,)


@pytest.mark.parametrize(
    ("variable", "setting", "value"),
    [
        ("CELERY_BROKER_URL", "maxmemory-policy", "noeviction"),
        ("CELERY_BROKER_URL", "appendonly", "yes"),
        ("CACHE_URL", "maxmemory-policy", "allkeys-lru"),
        ("CACHE_URL", "maxmemory", str(256 * 2**20)),
        ("CACHE_URL", "appendonly", "no"),
        ("CACHE_URL", "save", ""),
    ],
)
def test_the_broker_may_lose_nothing_and_the_cache_everything(
    servers: Servers, variable: str, setting: str, value: str
) -> None:
    with connect_redis(servers.env[variable]) as client:
        assert client.config_get(setting) == {setting: value}


def test_without_the_password_nobody_gets_in(servers: Servers) -> None:
    without = {name: re.sub(r":[^:/@]+@", "@", url) for name, url in servers.env.items()}
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(without["DATABASE_URL"])
    for variable in ("CELERY_BROKER_URL", "CACHE_URL"):
        with connect_redis(without[variable]) as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_they_listen_on_loopback_only(servers: Servers) -> None:
    listening = [
        connection.laddr.ip
        for process in servers.processes.values()
        for connection in psutil.Process(process.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"] * 3


def test_as_root_postgresql_believes_to_be_somebody_else(servers: Servers) -> None:
    # Inside a user namespace the server sees another number than we do; from here that is its uid_map.
    pid = servers["postgres"].pid
    inside = int(Path(f"/proc/{pid}/uid_map").read_text().split()[0])
    assert psutil.Process(pid).uids().real != 0 or inside != 0


@pytest.mark.parametrize("name", ["postgres", "redis-broker"])
def test_what_is_killed_comes_back_at_the_same_place_with_its_data(servers: Servers, name: str) -> None:
    url = servers.env["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as conn, connect_redis(servers.env["CELERY_BROKER_URL"]) as broker:
        conn.execute("CREATE TABLE IF NOT EXISTS kept (x int)")
        conn.execute("TRUNCATE kept")
        conn.execute("INSERT INTO kept VALUES (1)")
        broker.delete("kept")
        broker.rpush("kept", "message")
        wait_until(lambda: broker.info("persistence")["aof_pending_bio_fsync"] == 0)
    servers[name].kill()
    assert not servers[name].running
    servers[name].restart()
    with psycopg.connect(url) as conn, connect_redis(servers.env["CELERY_BROKER_URL"]) as broker:
        assert conn.execute("SELECT x FROM kept").fetchall() == [(1,)]
        assert broker.lrange("kept", 0, -1) == ["message"]


def test_a_query_that_outlives_a_killed_postgresql_does_not_keep_the_next_one_out(servers: Servers) -> None:
    with closing(psycopg.connect(servers.env["DATABASE_URL"], autocommit=True)) as conn:
        pid = conn.info.backend_pid
        conn.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000000)")
        os.kill(servers["postgres"].pid, signal.SIGKILL)
        wait_until(lambda: not servers["postgres"].running)
    assert is_alive(pid)
    servers["postgres"].restart()
    assert not is_alive(pid)


def test_a_second_start_in_the_same_folder_is_refused(servers: Servers) -> None:
    with pytest.raises(Conflict, match=rf"already running in .*process {os.getpid()}"):
        Servers.start(servers.folder)


def test_a_later_start_finds_the_data_again(tmp_path: Path) -> None:
    with Servers.start(tmp_path) as first, psycopg.connect(first.env["DATABASE_URL"]) as conn:
        conn.execute("CREATE TABLE kept (x int)")
    with Servers.start(tmp_path) as second, psycopg.connect(second.env["DATABASE_URL"]) as conn:
        assert conn.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_what_the_environment_names_is_not_started(tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgresql://elsewhere/db", "CELERY_BROKER_URL": "redis://elsewhere"}
    with Servers.start(tmp_path, given) as servers:
        assert list(servers.processes) == ["redis-cache"]
        assert servers.env.items() >= given.items()


def test_only_the_owner_may_read_passwords_and_logs(servers: Servers) -> None:
    files = [
        servers.folder / "secrets.json",
        *(servers.folder / "logs").iterdir(),
        *servers.folder.glob("*/redis.conf"),
    ]
    assert len(files) == 6
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_process_that_ends_while_starting_is_reported_with_its_log(servers: Servers) -> None:
    spec = shell("broken", "echo no such luck; exit 3", servers.folder)
    with pytest.raises(Permanent, match=r"broken ended with exit code 3.*logs/broken\.log; it ends with: no such luck"):
        servers.launch(spec)


def test_a_process_that_ignores_sigterm_is_killed_with_its_children(servers: Servers) -> None:
    stubborn = spawn_stubborn(servers)
    pids = [process.pid for process in psutil.Process(stubborn.pid).children()] + [stubborn.pid]
    stubborn.stop()
    assert len(pids) == 2
    assert not any(map(is_alive, pids))


def test_when_their_owner_is_killed_all_die_with_it(tmp_path: Path) -> None:
    # A child that leaves its parent's group, as PostgreSQL's do, is found too.
    script = """
import sys, time
from pathlib import Path
from dbrag.devstack.servers import Servers
from dbrag.devstack.process import Spec
folder = Path(sys.argv[1])
servers = Servers.start(folder)
servers.launch(Spec(name="parent", argv=["/bin/sh", "-c", "setsid sleep 1000 & touch ready; wait"], cwd=folder,
                    ready=lambda: (folder / "ready").exists()))
print("started", flush=True)
time.sleep(1000)
"""
    owner = subprocess.Popen([sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    assert owner.stdout.readline() == "started\n"
    started = psutil.Process(owner.pid)
    wait_until(lambda: {"postgres", "sleep"} <= {process.name() for process in started.children(recursive=True)})
    family = started.children(recursive=True)
    owner.kill()
    owner.communicate()
    wait_until(lambda: not any(is_alive(process.pid) for process in family))
    Servers.start(tmp_path).stop()


def spawn_stubborn(servers: Servers) -> Process:
    ready = servers.folder / "stubborn"
    spec = shell("stubborn", f"trap '' TERM; sleep 1000 & touch '{ready}'; while :; do wait; done", servers.folder)
    process = servers.spawn(spec)
    wait_until(ready.exists)
    return process


def shell(name: str, script: str, cwd: Path) -> Spec:
    return Spec(name=name, argv=["/bin/sh", "-c", script], cwd=cwd, ready=lambda: False, stop_timeout_s=0.5)


def connect_redis(url: str) -> Any:
    return redis.Redis.from_url(url, decode_responses=True)
