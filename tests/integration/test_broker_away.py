"""A publish fails in under two seconds, however the broker is away."""

import os
import signal
import socket
from collections.abc import Iterator
from time import monotonic
from uuid import uuid4

import psutil
import pytest
from pydantic import SecretStr

from dbrag.devstack.servers import Servers
from dbrag.jobs.broker import Broker
from dbrag.settings import Settings

AT_MOST_S = 2.0


@pytest.fixture(params=["refused", "silent", "blackholed", "stopped"])
def away(request: pytest.FixtureRequest, settings: Settings, quiet_servers: Servers) -> Iterator[Settings]:
    """Nobody listens; somebody listens and never answers; connecting gets no answer; Redis itself stands still."""
    if request.param == "stopped":
        pid = quiet_servers["redis-broker"].pid
        family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        for each in family:
            os.kill(each, signal.SIGSTOP)
        yield settings
        for each in family:
            os.kill(each, signal.SIGCONT)
        return
    with socket.socket() as listener, socket.socket() as filler:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if request.param != "refused":
            listener.listen(0 if request.param == "blackholed" else 8)
        if request.param == "blackholed":
            filler.connect(("127.0.0.1", port))  # the backlog is full: further SYNs are dropped
        url = SecretStr(f"redis://127.0.0.1:{port}/0")
        yield settings.model_copy(update={"celery_broker_url": url})


def test_publishing_gives_up_in_under_two_seconds(away: Settings) -> None:
    broker = Broker(away)
    for _ in range(2):  # with a new connection, and with what the first try left behind
        began = monotonic()
        assert broker.publish([(uuid4(), "ingest_document", "low")]) == []
        assert monotonic() - began < AT_MOST_S
    began = monotonic()
    assert broker.lengths() is None
    assert monotonic() - began < 2 * AT_MOST_S
    broker.close()


def test_a_connection_that_was_good_gives_up_as_soon(settings: Settings, quiet_servers: Servers) -> None:
    broker = Broker(settings)
    assert len(broker.publish([(uuid4(), "canary", "low")])) == 1
    pid = quiet_servers["redis-broker"].pid
    family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    for each in family:
        os.kill(each, signal.SIGSTOP)
    try:
        began = monotonic()
        assert broker.publish([(uuid4(), "canary", "low")] * 3) == []
        assert monotonic() - began < AT_MOST_S
    finally:
        for each in family:
            os.kill(each, signal.SIGCONT)
    assert len(broker.publish([(uuid4(), "canary", "low")])) == 1
    broker.close()


def test_the_brokers_way_with_a_full_memory_is_known_where_it_tells(settings: Settings) -> None:
    for url, policy in ((settings.celery_broker_url, "noeviction"), (SecretStr("redis://127.0.0.1:1"), None)):
        broker = Broker(settings.model_copy(update={"celery_broker_url": url}))
        assert broker.eviction_policy() == policy
        broker.close()
