"""Examines the two Redis servers: the broker must keep everything, the cache may forget, and they must not be one."""

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dbrag.cli.doctor.model import TIMEOUT_S, Finding, ok, skipped, wrong
from dbrag.settings import Settings


def check_broker(settings: Settings) -> Finding:
    return _reach(settings.celery_broker_url.get_secret_value(), "CELERY_BROKER_URL")


def check_broker_eviction(settings: Settings) -> Finding:
    policy = _info(settings.celery_broker_url.get_secret_value())["maxmemory_policy"]
    if policy == "noeviction":
        return ok(policy)
    return wrong(
        f"maxmemory-policy is {policy}: a full broker would drop messages silently",
        "Set `maxmemory-policy noeviction` on the broker.",
    )


def check_broker_persistence(settings: Settings) -> Finding:
    if _info(settings.celery_broker_url.get_secret_value())["aof_enabled"]:
        return ok("append-only file is on")
    return wrong(
        "no append-only file: after a restart every queue must be rebuilt from PostgreSQL",
        "Set `appendonly yes` on the broker.",
    )


def check_cache(settings: Settings) -> Finding:
    if settings.cache_url is None:
        return skipped("CACHE_URL is not set: nothing is cached, equal texts may be paid for again")
    return _reach(settings.cache_url.get_secret_value(), "CACHE_URL")


def check_separation(settings: Settings) -> Finding:
    if settings.cache_url is None:
        return skipped("there is no cache")
    broker = _info(settings.celery_broker_url.get_secret_value())
    cache = _info(settings.cache_url.get_secret_value())
    if broker["run_id"] != cache["run_id"]:
        return ok("broker and cache are two servers")
    return wrong("broker and cache are the same server", "Give the cache a server of its own, with `allkeys-lru`.")


def _reach(url: str, variable: str) -> Finding:
    try:
        return ok(f"version {_info(url)['redis_version']}")
    except (redis.RedisError, ValueError) as exc:
        return wrong(f"cannot be reached: {exc}", f"Start it, or correct {variable}.")


def _info(url: str) -> dict[str, Any]:
    # redis-py's own retries stretch a timeout tenfold (FACTS).
    options: dict[str, Any] = {"socket_connect_timeout": TIMEOUT_S, "socket_timeout": TIMEOUT_S}
    with redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **options) as server:  # pyright: ignore[reportUnknownMemberType] untyped options
        return server.info()  # pyright: ignore[reportUnknownMemberType] untyped options
